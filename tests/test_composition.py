"""Entangled weights, mixtures of experts and few-shot splits, in every network at once.

A composition is itself a supernet: it holds the weights of each part of a split, and an
architecture sees those of its own part. So it is held to the contract of supernets.
"""

import dataclasses
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import supernets
from nas.partition import Refinement, assign
from nas.partition.base import divide
from search_spaces import Architecture
from supernets import Supernet
from supernets.paths import flatten, unflatten
from supernets.weights import Mixture, WeightedSupernet
from tests.supernets import contract
from tests.supernets.test_contract import SIGNATURES

FAMILIES = supernets.discover_tiny()
KINDS = ("mixture", "split", "mixture and split")
# Those that compile longest are left to the long checks.
TOKENS_AND_PATCHES = ("LanguageModelSupernet", "VisionTransformerSupernet")
QUICK = [
    pytest.param(name, marks=[] if name in TOKENS_AND_PATCHES else [pytest.mark.slow])
    for name in FAMILIES
]


@dataclasses.dataclass(frozen=True, eq=False)
class Split(Supernet):
    """A supernet for each of S sets of architectures; parameters have an axis S."""

    base: Supernet
    tables: np.ndarray

    space = property(lambda self: self.base.space)
    input_shape = property(lambda self: self.base.input_shape)
    input_dtype = property(lambda self: self.base.input_dtype)
    num_classes = property(lambda self: self.base.num_classes)
    compute_dtype = property(lambda self: self.base.compute_dtype)

    def with_data(self, input_shape, num_classes):
        return Split(self.base.with_data(input_shape, num_classes), self.tables)

    def with_precision(self, precision):
        return Split(self.base.with_precision(precision), self.tables)

    def home(self, arch):
        taken = arch.indices
        if taken is None:
            taken = jnp.argmax(arch.weights, 1).astype(jnp.int32)
        return assign(jnp.asarray(self.tables), taken)

    def part(self, params, arch):
        home = self.home(arch)
        return jax.tree.map(lambda leaf: leaf[home], params)

    def init(self, key):
        keys = jax.random.split(key, len(self.tables))
        parts = [self.base.init(k) for k in keys]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)

    def apply(self, params, stats, arch, x, *, train=False, key=None):
        own = self.part(params, arch)
        return self.base.apply(own, stats, arch, x, train=train, key=key)

    def calibrate(self, params, arch, batches):
        return self.base.calibrate(self.part(params, arch), arch, batches)

    def extract(self, params, stats, genotype):
        arch = Architecture.hard(self.space, genotype)
        return self.base.extract(self.part(params, arch), stats, genotype)

    def subnet(self, genotype):
        return self.base.subnet(genotype)

    def activity(self, arch):
        here = jnp.arange(len(self.tables), dtype=jnp.int32) == self.home(arch)

        def at_home(leaf):
            leaf = jnp.asarray(leaf)[None]
            return here.astype(leaf.dtype).reshape(-1, *(1,) * (leaf.ndim - 1)) * leaf

        return jax.tree.map(at_home, self.base.activity(arch))

    def cost(self, arch):
        return self.base.cost(arch)

    def costs(self, genotypes):
        return self.base.costs(genotypes)


def mixed(base, **settings):
    """Mix one tensor by layer and one by neuron, whatever the network is."""
    kernels = [p for p in flatten(jax.eval_shape(base.init, jax.random.key(0)))]
    kernels = ["/".join(path) for path in kernels if path[-1] == "kernel"]
    rules = tuple(
        (re.escape(path), Mixture(granularity=granularity, hidden=4, **settings))
        for path, granularity in zip(
            (kernels[0], kernels[-1]), ("layer", "neuron"), strict=True
        )
    )
    return WeightedSupernet(base, rules)


def split(base):
    """Split by the decision that has most options."""
    space = base.space
    d = max(range(space.num_decisions), key=lambda d: space.num_options[d])
    options = range(space.num_options[d])
    half = len(options) // 2
    groups = tuple(options[:half]), tuple(options[half:])
    refinement = Refinement(space.names[d], groups)
    return Split(base, divide(space.valid[None], [refinement], space)[0])


def compose(name, kind, **settings):
    made = FAMILIES[name]
    made = mixed(made, **settings) if "mixture" in kind else made
    return split(made) if "split" in kind else made


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


def at_home_in_each(supernet, num):
    """Give random genotypes, the first of which are in different parts."""
    genotypes = contract.random_genotypes(supernet.space, 64)
    homes = np.zeros(len(genotypes), int)
    if isinstance(supernet, Split):
        columns = np.arange(genotypes.shape[1])
        homes = np.stack([t[columns, genotypes].all(-1) for t in supernet.tables])
        homes = homes.argmax(0)
    first = np.unique(homes, return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(genotypes)), first)
    return genotypes[np.concatenate([first, rest])[:num]]


def hold(name, kind, num):
    case = contract.CompiledCase(compose(name, kind))
    for genotype in at_home_in_each(case.supernet, num):
        contract.check_equals_subnet(case, genotype)
        contract.check_hard_is_one_hot_soft(case, genotype)
    return case


# ------------------------------------------------------------------------ invariants
@pytest.mark.parametrize("name", QUICK)
def test_all_at_once_equals_the_subnet_hard_and_soft(name):
    case = contract.CompiledCase(compose(name, "mixture and split"))
    genotypes = at_home_in_each(case.supernet, 4)
    contract.check_equals_subnet(case, genotypes[0])
    for genotype in genotypes:
        hard = case.run(case.hard(genotype))[0]
        soft = case.infer(case.params, None, case.one_hot(genotype), case.x)
        contract.assert_close(soft, hard, case.loose, f"{genotype} logits")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"), list(itertools.product(FAMILIES, KINDS)), ids=str
)
def test_every_composition_keeps_the_contract(name, kind):
    case = hold(name, kind, 6)
    genotypes = contract.random_genotypes(case.space, 30)
    contract.check_every_decision_matters(
        case,
        genotypes,
        lambda genotype: SIGNATURES.get(name, tuple)(
            case.space.decode(genotype).values()
        ),
    )
    once = contract.Case(case.supernet, "float32")
    with jax.enable_x64(False):
        contract.check_traces_once(once, genotypes)


@pytest.mark.parametrize("name", QUICK)
def test_equal_experts_and_equal_parts_are_the_plain_supernet(name):
    plain = contract.Case(FAMILIES[name])
    rules = {"experts": 3, "jitter": 0.0}
    whole = compose(name, "mixture and split", **rules)
    weighted = whole.base

    drawn = jax.jit(weighted.init)(jax.random.key(0))
    values = flatten(plain.params)
    filled = {}
    for path, leaf in flatten(drawn).items():
        inside = tuple(p for p in path if p != "experts")
        value = values.get(path, values.get(inside))
        if value is None:
            value = leaf.astype("float64")
        elif "experts" in path:
            axis = 0 if weighted.layers(inside) is None else 1
            value = jnp.repeat(jnp.expand_dims(value, axis), 3, axis)
        filled[path] = jnp.stack([value, value])
    params = unflatten(filled)
    run = jax.jit(whole.with_precision("float64").apply)
    for genotype in at_home_in_each(whole, 3):
        arch = plain.hard(genotype)
        found = run(params, None, arch, plain.x).logits
        expected = plain.infer(plain.params, None, arch, plain.x)
        contract.assert_close(found, expected, 1e-9, f"{genotype} logits")

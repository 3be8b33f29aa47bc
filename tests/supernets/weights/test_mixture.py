"""Mixtures of experts: folding, extraction, activity, and what is the plain weight."""

import copy
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import supernets
from search_spaces import Architecture
from supernets.paths import flatten
from supernets.weights import Mixture, WeightedSupernet, mixture, published
from tests.supernets import contract
from tests.supernets.weights.toy import SMALL, regression

# All but repetitions of the same cell, which would only compile for longer.
KERNELS = r"(?!stage_0/edges/[1-5]|stage_[12]/edges|reduction_2)(.*/)?kernel"


class Compiled(contract.Case):
    """A case whose extracted networks are compiled, which is quicker for a few."""

    def run_subnet(self, genotype):
        def run(params, x):
            other = copy.copy(self)
            other.params, other.x = params, x
            return contract.Case.run_subnet(other, genotype)

        return jax.jit(run)(self.params, self.x)


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    yield
    jax.clear_caches()


def hard(supernet, genotype):
    return Architecture.hard(supernet.space, genotype)


def drawn(supernet):
    return jax.jit(supernet.init)(KEY)


def fold(supernet, params, genotype):
    return jax.jit(lambda p: supernet.fold(p, hard(supernet, genotype)))(params)


def of_blocks():
    # A mixture around one of other tensors; rows of one axis and of two (heads).
    inner = Mixture(2, "neuron", hidden=16)
    rules = (
        ("blocks/mlp/up", Mixture(2, "neuron", hidden=16, encoding="ordinal")),
        ("blocks/mlp/down", Mixture(3, hidden=16)),
        ("norm", Mixture(hidden=16)),
    )
    base = WeightedSupernet(SMALL, (("blocks/attention", inner),))
    return WeightedSupernet(base, rules)


def of_cells():
    rules = (
        (r"stage_0/edges/./operations/3", Mixture(2, "neuron", hidden=16)),
        (r"stage_1/edges/./operations/3/convolution", Mixture(2, hidden=16)),
    )
    return WeightedSupernet(supernets.discover_tiny()["NASBench201Supernet"], rules)


# ----------------------------------------------------------------- supernet == subnet
@pytest.mark.slow  # compositions hold the same, with splits besides
def test_the_contract_holds():
    with jax.enable_x64(True):
        case = Compiled(of_blocks())
        genotypes = contract.random_genotypes(case.space, 2)
        contract.check_equals_subnet(case, genotypes[0])
        for genotype in genotypes:
            contract.check_hard_is_one_hot_soft(case, genotype)


@pytest.mark.slow
@pytest.mark.parametrize("make", [of_blocks, of_cells])
def test_the_contract_holds_for_every_option(make):
    with jax.enable_x64(True):
        case = Compiled(make())
        genotypes = contract.every_option(case.space)
        for genotype in genotypes:
            contract.check_equals_subnet(case, genotype)
            contract.check_hard_is_one_hot_soft(case, genotype)
        contract.check_gradients_of_weights(case, genotypes, inert=("none",))


@pytest.mark.slow
def test_a_second_derivative_is_the_slope_of_the_gradient():
    with jax.enable_x64(True):
        case = contract.Case(of_blocks())
        contract.check_second_derivative(case, case.random_soft(0))


def masked_gradient(supernet):
    """Make `genotype -> gradient, activity`, of a function of the active weights.

    It stands for the network, which this way is not compiled.
    """
    params = jax.tree.map(lambda s: _noise(s.shape), jax.eval_shape(supernet.init, KEY))

    def run(params, genotype):
        arch = hard(supernet, genotype)
        active = supernet.base.activity(arch)

        def loss(params):
            folded = supernet.fold(params, arch)
            parts = jax.tree.map(lambda w, a: jnp.sum(jnp.sin(w * a)), folded, active)
            return sum(jax.tree.leaves(parts))

        return jax.grad(loss)(params), supernet.activity(arch)

    compiled = jax.jit(run)
    return lambda genotype: compiled(params, genotype)


KEY = jax.random.key(0)


def _noise(shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def check_inactive_is_still(gradient, activity):
    gradient, activity = flatten(gradient), flatten(activity)
    assert gradient.keys() == activity.keys()
    for path, leaf in gradient.items():
        inactive = np.broadcast_to(np.asarray(activity[path]) == 0, leaf.shape)
        assert not np.asarray(leaf)[inactive].any(), path
        assert np.asarray(leaf)[~inactive].any() or inactive.all(), f"{path} is dead"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            n, marks=[pytest.mark.slow] if "NASBench" in n or "Cell" in n else []
        )
        for n in sorted(supernets.discover_tiny())
    ],
)
def test_every_kernel_of_every_space_can_be_mixed(name):
    plain = supernets.discover_tiny()[name]
    kind = Mixture(2, "neuron", hidden=16)
    supernet = WeightedSupernet(plain, ((KERNELS, kind),))
    gradient = masked_gradient(supernet)
    for genotype in contract.random_genotypes(plain.space, 3):
        check_inactive_is_still(*gradient(genotype))
    abstract = jax.eval_shape(supernet.init, KEY)
    found = jax.eval_shape(lambda p: supernet.extract(p, None, genotype), abstract)
    expected = jax.eval_shape(
        lambda key: plain.extract(plain.init(key), None, genotype), KEY
    )
    chex.assert_trees_all_equal_shapes_and_dtypes(found, expected)


def test_rows_that_are_read_expert_by_expert_are_found(monkeypatch):
    rules = (("blocks/mlp", Mixture(2, "neuron", hidden=16)),)
    supernet = WeightedSupernet(SMALL, rules)
    route = mixture._route

    def by_expert(router, encoding, layers):
        mix = route(router, encoding, layers)
        flat = mix.reshape(*mix.shape[:-2], mix.shape[-1], mix.shape[-2])
        return jnp.swapaxes(flat, -1, -2)

    smallest = SMALL.smallest()
    check_inactive_is_still(*masked_gradient(supernet)(smallest))
    monkeypatch.setattr(mixture, "_route", by_expert)
    with pytest.raises(AssertionError, match="router"):
        check_inactive_is_still(*masked_gradient(supernet)(smallest))


def test_slicing_the_last_layer_is_slicing_its_mix():
    rows, experts, width = 6, 3, 4
    router = {
        "hidden": {"kernel": _noise((5, 8)), "bias": _noise((8,))},
        "output": {"kernel": _noise((8, rows, experts)), "bias": _noise((rows, 3))},
    }
    # Flat, what a subnet needs is the first `width * experts` columns.
    flat = router["output"]["kernel"].reshape(8, -1)[:, : width * experts]
    own = {
        "hidden": router["hidden"],
        "output": {
            "kernel": flat.reshape(8, width, experts),
            "bias": router["output"]["bias"][:width],
        },
    }
    encoding = _noise((5,))
    full = mixture._route(router, encoding, None)
    np.testing.assert_allclose(
        mixture._route(own, encoding, None), full[:width], rtol=1e-6
    )
    np.testing.assert_allclose(full.sum(-1), 1, rtol=1e-6)


def test_a_fold_is_the_mixture_that_the_router_gives():
    kind = Mixture(3, "neuron", hidden=16)
    supernet = WeightedSupernet(SMALL, (("blocks/attention/query", kind),))
    params = drawn(supernet)
    own = params["blocks"]["attention"]["query"]
    folded = fold(supernet, params, SMALL.largest())["blocks"]["attention"]["query"]
    router, kernel = own["router"]["rows_2x2"], own["experts"]["kernel"]
    encoding = np.concatenate(
        [
            np.eye(len(d.options))[i]
            for d, i in zip(SMALL.space.decisions, SMALL.largest(), strict=True)
        ]
    )
    for layer in range(2):
        inner = {n: np.asarray(v[layer]) for n, v in router["hidden"].items()}
        outer = {n: np.asarray(v[layer]) for n, v in router["output"].items()}
        hidden = np.maximum(encoding @ inner["kernel"] + inner["bias"], 0)
        scores = np.einsum("h,hrse->rse", hidden, outer["kernel"]) + outer["bias"]
        mix = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        expected = np.einsum("rse,enrs->nrs", mix, np.asarray(kernel[layer]))
        np.testing.assert_allclose(folded["kernel"][layer], expected, rtol=1e-5)


# ------------------------------------------------------------------------- identities
def test_one_expert_is_the_plain_weight():
    supernet = published(SMALL, experts=1, granularity="neuron")
    params = drawn(supernet)
    assert not any("router" in path for path in flatten(params))
    folded = fold(supernet, params, SMALL.largest())
    chex.assert_trees_all_equal(folded, drawn(SMALL))


@pytest.mark.parametrize("granularity", mixture.GRANULARITIES)
def test_equal_experts_are_the_plain_weight(granularity):
    kind = Mixture(3, granularity, hidden=16, jitter=0)
    supernet = WeightedSupernet(SMALL, (("blocks/mlp", kind),))
    params, plain = drawn(supernet), drawn(SMALL)

    @jax.jit
    def run(params):
        arch = hard(supernet, SMALL.smallest())
        folded, pull = jax.vjp(lambda p: supernet.fold(p, arch), params)
        gradient = jax.tree.map(jnp.cos, folded)
        experts = pull(gradient)[0]["blocks"]["mlp"]["experts"]
        return folded, gradient, jax.tree.map(lambda leaf: leaf.sum(1), experts)

    folded, gradient, total = run(params)
    chex.assert_trees_all_close(folded, plain, rtol=1e-6)
    # The gradients of the experts add up to that of the plain tensor.
    chex.assert_trees_all_close(total, gradient["blocks"]["mlp"], rtol=1e-5)


def test_the_mean_of_the_experts_is_the_plain_weight():
    plain, params = drawn(SMALL), drawn(published(SMALL, experts=6))
    experts = params["blocks"]["mlp"]["experts"]
    mean = jax.tree.map(lambda leaf: np.asarray(leaf).mean(1), experts)
    chex.assert_trees_all_close(mean, plain["blocks"]["mlp"], rtol=1e-4, atol=1e-7)
    other = {k: v for k, v in params.items() if k != "blocks"}
    chex.assert_trees_all_equal(other, {k: plain[k] for k in other})


def test_a_fold_keeps_the_type_of_the_tensor_and_mixes_in_float32():
    supernet = regression(3)
    kind = Mixture(4, hidden=16)
    place = WeightedSupernet(supernet, ((".*", kind),))._matches[("linear",)].place

    @jax.jit
    def run(key):
        plain = supernet.init(key)["linear"]
        params = kind.init(key, supernet.space, plain, place)
        half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), half)
        arch = hard(supernet, [1])
        return kind.fold(half, arch, place), kind.fold(wide, arch, place)

    half, wide = run(KEY)
    rounded = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), wide)
    chex.assert_trees_all_equal(half, rounded)


# -------------------------------------------------------------------------- encodings
def encodings(kind, space, genotypes):
    encode = jax.jit(lambda g: kind._encode(Architecture.hard(space, g)))
    return np.stack([np.asarray(encode(g)) for g in genotypes])


def all_genotypes(space):
    rows = itertools.product(*map(range, space.num_options))
    return np.unique(space.canonical(np.asarray(list(rows), np.int32)), axis=0)


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_no_two_architectures_look_alike(encoding):
    genotypes = all_genotypes(SMALL.space)
    found = encodings(Mixture(encoding=encoding), SMALL.space, genotypes)
    assert len(np.unique(found, axis=0)) == len(genotypes) == SMALL.space.size


def test_ordinal_values_lie_between_the_least_and_the_greatest():
    space = regression(3).space
    found = encodings(Mixture(encoding="ordinal"), space, [[0], [1], [2]])
    np.testing.assert_array_equal(found, [[0], [0.5], [1]])


def test_a_fixed_encoding_is_the_same_for_all():
    genotypes = all_genotypes(SMALL.space)
    found = encodings(Mixture(encoding="fixed"), SMALL.space, genotypes)
    assert len(np.unique(found, axis=0)) == 1


def test_a_shuffled_encoding_tells_nothing_of_a_decision_and_is_reproducible():
    genotypes, kind = all_genotypes(SMALL.space), Mixture(encoding="shuffled")
    found = encodings(kind, SMALL.space, genotypes)
    np.testing.assert_array_equal(found, encodings(kind, SMALL.space, genotypes))
    assert len(np.unique(found, axis=0)) > len(genotypes) / 4
    truth = encodings(Mixture(), SMALL.space, genotypes)
    # A permutation of options would keep each column, in another place.
    agree = np.abs(np.corrcoef(truth.T, found.T)[: truth.shape[1], truth.shape[1] :])
    assert np.nanmax(agree) < 0.75
    with pytest.raises(ValueError, match=r"soft.*'fixed'"):
        encode = kind._encode
        jax.eval_shape(
            lambda rows: encode(Architecture.soft(SMALL.space, rows)),
            jax.ShapeDtypeStruct(SMALL.space.valid.shape, jnp.float32),
        )


def test_dead_decisions_are_not_seen():
    supernet = published(SMALL)
    raw = np.zeros((2, SMALL.space.num_decisions), np.int32)
    raw[1, -2:] = 1  # of the block beyond the depth
    run = jax.jit(lambda p, g: supernet.fold(p, hard(supernet, g)))
    params = drawn(supernet)
    chex.assert_trees_all_equal(run(params, raw[0]), run(params, raw[1]))


# --------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("experts", 0, "at least 1"),
        ("hidden", 0, "at least 1"),
        ("jitter", -0.1, "0 or more"),
        ("jitter", float("nan"), "0 or more"),
        ("granularity", "head", "layer, neuron"),
        ("encoding", "random", "one_hot, ordinal, fixed, shuffled"),
    ],
)
def test_settings_out_of_range_are_refused(field, value, allowed):
    with pytest.raises(ValueError, match=f"{field} is .*{allowed}"):
        Mixture(**{field: value})


def test_words_have_no_order():
    cells = supernets.discover_tiny()["NASBench201Supernet"]
    with pytest.raises(ValueError, match=r"'none', which is no number.*'one_hot'"):
        WeightedSupernet(cells, (("classifier", Mixture(encoding="ordinal")),))


@pytest.mark.slow
def test_the_published_setting_mixes_feed_forward_layers_alone():
    supernet = published(SMALL, experts=6, granularity="neuron")
    ((path, match),) = supernet._matches.items()
    assert path == ("blocks", "mlp")
    assert match.place.layers == 2
    kind = match.weight
    assert (kind.experts, kind.granularity, kind.hidden) == (6, "neuron", 128)
    cells = supernets.discover_tiny()["NASBench201Supernet"]
    with pytest.raises(ValueError, match="match nothing"):
        published(cells, encoding="one_hot")

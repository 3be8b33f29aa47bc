"""Defects of the released code of mixture-of-supernets, which ours must not have.

Jawahar et al. 2024, arXiv 2306.04845; the code is UBC-NLP/MoS on GitHub, at 9d08819.
What concerns its own training loop (losses, accumulated gradients) has no counterpart
here. The saddle is in `test_mixture_learning`, the layout of rows in `test_mixture`.
"""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Architecture
from supernets.paths import flatten
from supernets.weights import Mixture, WeightedSupernet, mixture, published
from tests.supernets import contract
from tests.supernets.weights.toy import SMALL

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def supernet():
    return published(SMALL, experts=3, granularity="neuron")


@pytest.fixture(scope="module")
def params(supernet):
    return jax.jit(supernet.init)(KEY)


@pytest.fixture(scope="module")
def fold(supernet, params):
    return jax.jit(lambda g: supernet.fold(params, _hard(g))["blocks"]["mlp"])


def _hard(genotype):
    return Architecture.hard(SMALL.space, genotype)


def genotypes(num=12):
    return np.unique(contract.random_genotypes(SMALL.space, num), axis=0)


def test_an_encoding_is_never_stale(fold):
    # There, it was a buffer of the model, set before a pass or forgotten.
    rows = genotypes()
    first = [jax.device_get(fold(g)) for g in rows]
    for index in reversed(range(len(rows))):
        chex.assert_trees_all_equal(jax.device_get(fold(rows[index])), first[index])


def test_no_two_architectures_share_folded_weights(fold):
    # There, what was exported had been merged for the architecture of the moment.
    folded = [np.asarray(fold(g)["up"]["kernel"]) for g in genotypes()]
    for a, b in itertools.combinations(folded, 2):
        assert np.abs(a - b).max() > 1e-6 * np.abs(a).max()


def test_extraction_folds_for_the_architecture_that_leaves(supernet, params, fold):
    for genotype in genotypes(3):
        cut = jax.jit(lambda p, g=genotype: supernet.extract(p, None, g)["params"])
        own = cut(params)
        blocks = SMALL.space.decode(genotype)["depth"]
        for layer in range(blocks):
            up = own["blocks"][str(layer)]["mlp"]["up"]["kernel"]
            n, m = up.shape
            np.testing.assert_array_equal(
                up, np.asarray(fold(genotype)["up"]["kernel"])[layer, :n, :m]
            )


def test_a_subnet_has_no_router_and_no_experts_and_costs_what_a_plain_one_does(
    supernet, params
):
    # There, one expert was counted, and latency was that of the supernet.
    plain = jax.eval_shape(SMALL.init, KEY)
    rows = genotypes()
    chex.assert_trees_all_equal(supernet.costs(rows), SMALL.costs(rows))
    for genotype in rows[:2]:
        found, expected = (
            jax.eval_shape(lambda p, s=s, g=genotype: s.extract(p, None, g), p)
            for s, p in ((supernet, params), (SMALL, plain))
        )
        chex.assert_trees_all_equal_shapes_and_dtypes(found, expected)
        assert not {"router", "experts"} & {n for p in flatten(found) for n in p}
        costs = supernet.costs(genotype[None])
        entries = sum(leaf.size for leaf in jax.tree.leaves(found["params"]))
        assert costs["params"][0] == entries
        assert costs["macs"][0] == contract.program_macs(supernet, genotype)
        expected = supernet.cost(_hard(genotype))
        assert float(expected["params"]) == entries


def test_nothing_of_a_mixture_is_dead(supernet, params):
    # There, each further expert had norms that nothing read, and a flag that users
    # were told to give allocated experts that were never reached.
    rows = genotypes()

    @jax.jit
    def reached(genotype):
        def total(params):
            folded = supernet.fold(params, _hard(genotype))["blocks"]["mlp"]
            return sum(jnp.sum(jnp.sin(w)) for w in jax.tree.leaves(folded))

        gradient = jax.grad(total)(params)["blocks"]["mlp"]
        return jax.tree.map(lambda leaf: leaf != 0, gradient)

    maps = [flatten(jax.device_get(reached(g))) for g in rows]
    for path in maps[0]:
        found = np.any([m[path] for m in maps], axis=0)
        # A hidden unit may be off for all of a few architectures.
        least = 0.5 if "router" in path else 1.0
        assert found.mean() >= least, path


def test_mixtures_that_match_nothing_are_refused():
    # There, the mixture was silently not built.
    with pytest.raises(ValueError, match=r"blocks/ffn.*match nothing"):
        published(SMALL, path="blocks/ffn")


@pytest.mark.parametrize("granularity", mixture.GRANULARITIES)
def test_a_fold_starts_as_large_as_a_plain_weight(granularity):
    # The mean of m independent draws would be smaller by the root of m.
    kind = Mixture(6, granularity, hidden=16)
    supernet = WeightedSupernet(SMALL, (("blocks/mlp", kind),))

    @jax.jit
    def sizes(key):
        both = SMALL.init(key), supernet.fold(supernet.init(key), _hard(GENOTYPE))
        kernels = [p["blocks"]["mlp"]["up"]["kernel"] for p in both]
        return [jnp.square(kernel).mean() for kernel in kernels]

    drawn = [sizes(jax.random.key(seed)) for seed in range(20)]
    plain, folded = np.sqrt(np.mean(drawn, axis=0))
    assert abs(folded / plain - 1) < 0.1


GENOTYPE = SMALL.largest()

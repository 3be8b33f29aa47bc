"""Baselines of a small supernet, against counts and an independent computation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nas.errors import UserError
from nas.ranking.baselines import (
    NOISE_BATCH,
    baselines,
    cost_baselines,
    identity_statistics,
    live_baseline,
    noise_inputs,
    option_counts,
    proxy_baseline,
)
from predictors.linear_formula import LinearFormula
from predictors.zero_cost.az_nas import AZNAS
from predictors.zero_cost.grad_norm import GradNorm
from predictors.zero_cost.naswot import NASWOT
from predictors.zero_cost.relu_agreement import relu_agreement
from predictors.zero_cost.synflow import SynFlow
from search_spaces import Architecture, Decision, SearchSpace
from search_spaces.nasbench201 import EDGES, OPERATIONS, nasbench201
from supernets.discovery import discover_tiny
from supernets.loading import load_weights
from supernets.nasbench201 import NASBench201Supernet

# A skip, and a path over node 1; few operations vary, for they are what compiles.
FIXED = {
    "edge_0_2": "none",
    "edge_1_2": "none",
    "edge_0_3": "skip_connect",
    "edge_2_3": "none",
}
SMALL = NASBench201Supernet(
    nasbench201(FIXED), channels=2, cells=1, input_shape=(4, 4, 1), num_classes=3
)
NONE, SKIP, CONV1, CONV3, POOL = range(len(OPERATIONS))
FIRST, LAST = EDGES.index((0, 1)), EDGES.index((1, 3))
PATHS = np.array(
    [(CONV3, CONV3), (CONV3, NONE), (CONV1, POOL), (NONE, CONV3), (POOL, SKIP)]
)
GENOTYPES = np.zeros((len(PATHS), len(EDGES)), np.int32)
GENOTYPES[:, [FIRST, LAST]] = PATHS
WIDTHS = np.array([2, 4, 8])


@pytest.fixture(scope="module")
def scores():
    return baselines(
        SMALL,
        GENOTYPES,
        proxies={"synflow": SynFlow(), "naswot": NASWOT()},
        seed=3,
    )


def test_live_parameters_are_those_of_operations_on_a_path(scores):
    # A convolution without a way to the output is dead, and so is one without a way
    # from the input.
    conv3 = (9 * WIDTHS**2 + 2 * WIDTHS).sum()
    dead = np.array([0, conv3, 0, conv3, 0])
    whole = SMALL.costs(GENOTYPES)["params"]
    np.testing.assert_array_equal(-scores["live_parameters"], whole - dead)


def test_synflow_of_a_supernet_is_that_of_the_extracted_network(scores):
    params = SMALL.init(jax.random.fold_in(jax.random.key(3), 0))
    ones = jnp.ones((1, *SMALL.input_shape))
    arch = Architecture.hard(SMALL.space, GENOTYPES[0])
    stats = identity_statistics(SMALL, params, arch, ones)
    module = SMALL.subnet(GENOTYPES[0])
    load_weights(module, SMALL.extract(params, stats, GENOTYPES[0]))
    module.eval()
    graphdef, weights, rest = nnx.split(module, nnx.Param, ...)
    weights = jax.tree.map(jnp.abs, weights)

    @jax.jit
    @jax.grad
    def gradient(weights):
        return nnx.merge(graphdef, weights, rest)(ones).sum()

    flows = jax.tree.map(lambda w, g: (w * g).sum(), weights, gradient(weights))
    flow = float(sum(jax.tree.leaves(flows)))
    assert np.exp(-scores["synflow"][0]) == pytest.approx(flow, rel=1e-4)


def test_naswot_of_a_supernet_is_that_of_the_extracted_network(scores):
    key = jax.random.key(3)
    params = SMALL.init(jax.random.fold_in(key, 0))
    x = noise_inputs(SMALL, jax.random.fold_in(key, 1), NOISE_BATCH)
    module = SMALL.subnet(GENOTYPES[0])
    load_weights(module, SMALL.extract(params, None, GENOTYPES[0]))
    module.train()
    graphdef, state = nnx.split(module)

    @jax.jit
    def agreement(state, x):
        # Flax lets statistics be written only in the trace that made them.
        return relu_agreement(
            lambda state, x: nnx.merge(graphdef, state)(x), NOISE_BATCH, state, x
        )

    kernel, units = agreement(state, x)
    # Two convolutions, of three stages; two reductions; and the last.
    assert units == 2 * (16 * 2 + 4 * 4 + 8) + (16 * 2 + 4 * 4) + (4 * 4 + 8) + 8
    expected = np.linalg.slogdet(np.asarray(kernel, np.float64))[1]
    assert -scores["naswot"][0] == pytest.approx(expected, rel=1e-3)


def test_every_baseline_has_a_finite_number_for_every_architecture(scores):
    names = {"macs", "params", "live_parameters", "synflow", "naswot"}
    assert set(scores) == names
    for name, values in scores.items():
        assert values.shape == (5,) and values.dtype == np.float64, name
        assert np.isfinite(values).all(), name
        assert values.argmin() == 0 or name == "naswot", name
    costs = cost_baselines(SMALL, GENOTYPES)
    np.testing.assert_array_equal(scores["macs"], costs["macs"])
    # Of what is on a path: two of 3x3, none, 1x1 and a pool, none, a pool and a skip.
    names, counts = option_counts(SMALL.space, GENOTYPES, SMALL.effective(GENOTYPES))
    weights = {"nor_conv_3x3": 1.5, "nor_conv_1x1": 1.0, "avg_pool_3x3": -0.5}
    formula = LinearFormula(weights, names, "round numbers").predict(counts).mean
    np.testing.assert_allclose(formula, [-3, 0, -0.5, 0, 0.5])


def test_identity_statistics_leave_values_as_they_are():
    params = SMALL.init(jax.random.key(0))
    arch = Architecture.hard(SMALL.space, GENOTYPES[0])
    stats = identity_statistics(SMALL, params, arch, jnp.zeros((2, 4, 4, 1)))
    leaves = jax.tree_util.tree_leaves_with_path(stats)
    assert leaves
    for path, leaf in leaves:
        expected = 1 if "var" in jax.tree_util.keystr(path) else 0
        assert (leaf == expected).all()


def test_counts_are_of_decisions_in_effect():
    space = SearchSpace(
        "counts",
        (
            Decision("depth", (1, 2)),
            Decision("first", ("a", "b")),
            Decision("second", ("b", "c"), requires=("depth", (2,))),
            Decision("width", (8, 16), requires=("depth", (2,))),
        ),
    )
    genotypes = np.array([[0, 1, 1, 1], [1, 1, 0, 1], [1, 0, 1, 0]])
    names, counts = option_counts(space, genotypes)
    assert names == ("depth", "a", "b", "c", "width")
    np.testing.assert_array_equal(
        counts, [[1, 0, 1, 0, 0], [2, 0, 2, 0, 16], [2, 1, 0, 1, 8]]
    )
    live = np.ones((3, 4), bool)
    live[1, 1] = False
    assert option_counts(space, genotypes, live)[1][1, 2] == 1


@pytest.mark.parametrize("name", ["LanguageModel", "VisionTransformer", "Mobile"])
def test_every_active_parameter_of_an_elastic_network_is_live(name):
    (supernet,) = (
        tiny
        for key, tiny in discover_tiny().items()
        if key.startswith(name) and "-" not in key
    )
    drawn = np.asarray(supernet.space.sample(jax.random.key(0), 2))
    genotypes = np.stack([supernet.largest(), supernet.smallest(), *drawn])
    expected = supernet.costs(genotypes)["params"]
    np.testing.assert_array_equal(-live_baseline(supernet, genotypes), expected)


@pytest.mark.parametrize(
    "name", sorted(name for name in discover_tiny() if "-" not in name)
)
def test_every_supernet_marks_its_blocks(name):
    supernet = discover_tiny()[name]
    params = jax.eval_shape(supernet.init, jax.random.key(0))
    x = jax.eval_shape(lambda key: noise_inputs(supernet, key, 4), jax.random.key(0))

    def score(params, x):
        arch = Architecture.hard(supernet.space, supernet.largest())
        return AZNAS().score(
            lambda p, x: supernet.apply(p, None, arch, x).logits, params, x
        )

    assert jax.eval_shape(score, params, x).shape == (3,)


def test_a_gradient_is_taken_of_each_layer_by_itself():
    # Both cells of a stage are stacked, and have a norm each.
    two = NASBench201Supernet(
        nasbench201(FIXED | {"edge_0_1": "nor_conv_1x1", "edge_1_3": "skip_connect"}),
        channels=2, cells=2, input_shape=(4, 4, 1), num_classes=3,
    )  # fmt: skip
    genotype = np.zeros((1, len(EDGES)), np.int32)
    key = jax.random.key(0)
    x = noise_inputs(two, key, 8)
    labels = jnp.arange(8) % 3
    found = proxy_baseline(two, GradNorm(), genotype, x, labels)
    params = two.init(jax.random.fold_in(key, 0))

    @jax.jit
    @jax.grad
    def gradient(params):
        arch = Architecture.hard(two.space, jnp.asarray(genotype[0]))
        logits = jax.nn.log_softmax(two.apply(params, None, arch, x).logits)
        return -logits[jnp.arange(8), labels].mean()

    norms = 0.0
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(params)):
        layers = leaf if "stage_" in jax.tree_util.keystr(path) else leaf[None]
        norms += sum(np.sqrt((np.asarray(layer) ** 2).sum()) for layer in layers)
    assert -found[0] == pytest.approx(norms, rel=1e-4)
    with pytest.raises(UserError, match="there are no labels"):
        proxy_baseline(two, GradNorm(), genotype, x)

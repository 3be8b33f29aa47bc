"""The one evaluation against direct computations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas import Run
from nas.errors import UserError
from nas.evaluation import Evaluation, Evaluator
from nas.evaluation.evaluate import COLUMNS
from search_spaces import Architecture
from tests.nas.training.parts import ignore, tiny, two_edges, two_layers


def shaken(params, key):
    """Weights away from where they start, so that every one of them shows."""
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    noisy = [
        leaf + 0.3 * jax.random.normal(k, leaf.shape)
        for leaf, k in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(treedef, noisy)


def measure(logits, labels):
    """Mean negative log-likelihood and error, each example counted once."""
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    nll = -log_p[np.arange(len(labels)), labels].mean()
    return nll, (logits.argmax(1) != labels).mean()


# ------------------------------------------------------------ with batch statistics
@pytest.fixture(scope="module")
def cells():
    """A run over cells with batch norms: 48 images to search on, in batches of 32."""
    run = Run(tiny(supernet=two_edges()), notify=ignore)
    params = shaken(run.supernet.init(jax.random.key(0)), jax.random.key(1))
    stacked = jax.tree.map(lambda leaf: leaf[None], params)
    allowed = jnp.asarray(run.allowed)
    everything = run.supernet.space.enumerate()
    split = run.on_device("search")
    values = run.evaluator.evaluate(stacked, allowed, everything, split)
    return run, params, stacked, allowed, everything, values


@pytest.fixture(scope="module")
def direct(cells):
    """`(genotype, images) -> (statistics, logits)`, without the evaluator."""
    run, params, *_ = cells
    # 2 batches of 16, the first of the weights split.
    calibration = run.splits.weights.inputs[:32].reshape(2, 16, 8, 8, 1)

    @jax.jit
    def compute(genotype, images):
        arch = Architecture.hard(run.supernet.space, genotype)
        x = run.preprocessing(jnp.asarray(calibration))
        stats = run.supernet.calibrate(params, arch, x)
        x = run.preprocessing(images)
        return stats, run.supernet.apply(params, stats, arch, x).logits

    return compute


def test_one_program_serves_every_architecture(cells):
    run, _, stacked, allowed, everything, values = cells
    assert len(everything) == 25
    run.evaluator.evaluate(stacked, allowed, everything[::-1], run.on_device("search"))
    assert run.evaluator._one._cache_size() == 1
    assert set(values) == {*COLUMNS, "error_variance"}
    assert len(np.unique(values["nll"])) > 10


def test_numbers_are_those_of_calibrated_logits(cells, direct):
    run, *_, everything, values = cells
    split = run.splits.search
    assert len(split) % 32 == 16  # the last batch is filled up
    for i in (3, 7, 17, 24):
        _, logits = direct(jnp.asarray(everything[i]), split.inputs)
        nll, error = measure(logits, split.labels)
        assert values["nll"][i] == pytest.approx(nll, rel=1e-5)
        assert values["error"][i] == pytest.approx(error, abs=1e-7)
        # Which tells it from an average that counts what fills the batch up.
        padded = np.concatenate([split.labels, split.labels[:16]])
        twice, _ = measure(np.concatenate([logits, logits[:16]]), padded)
        assert abs(twice - nll) > 1e-4 * nll


def test_costs_are_the_supernets_own(cells):
    run, *_, everything, values = cells
    for name, column in run.supernet.costs(everything).items():
        assert (values[name] == column).all()
        assert len(np.unique(column)) > 1


def test_statistics_are_those_that_evaluation_used(cells, direct):
    run, _, stacked, allowed, everything, _ = cells
    found = run.evaluator.statistics(stacked, allowed, everything[7])
    want, _ = direct(jnp.asarray(everything[7]), run.splits.search.inputs)
    assert jax.tree.structure(found) == jax.tree.structure(want)
    assert jax.tree.leaves(found)
    for a, b in zip(*map(jax.tree.leaves, (found, want)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_batch_statistics_calibrate_nothing(cells):
    run, params, stacked, allowed, everything, values = cells
    evaluator = Evaluator(
        run.supernet,
        Evaluation(batch_size=48, statistics="batch"),
        run.preprocessing,
        run.splits.weights,
        run.mesh,
    )
    split = run.splits.search
    found = evaluator.evaluate(stacked, allowed, everything[[7]], split)
    arch = Architecture.hard(run.supernet.space, everything[7])
    x = run.preprocessing(jnp.asarray(split.inputs))
    logits = run.supernet.apply(params, None, arch, x).logits
    nll, error = measure(logits, split.labels)
    assert found["nll"][0] == pytest.approx(nll, rel=1e-5)
    assert found["error"][0] == pytest.approx(error, abs=1e-7)
    assert abs(found["nll"][0] - values["nll"][7]) > 1e-4


# ------------------------------------------------------------------- sub-supernets
def test_each_architecture_is_measured_by_its_own_weights():
    run = Run(tiny(), notify=ignore)
    supernet = two_layers().with_data((8, 8, 1), 3)
    space = supernet.space
    tables = np.stack([space.valid] * 3)
    tables[:, 0] = np.eye(3, dtype=bool)[[2, 0, 1]]  # widths 32, 8 and 16
    owner = {2: 0, 0: 1, 1: 2}
    parts = [supernet.init(jax.random.key(s)) for s in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
    genotypes = space.enumerate()
    split = run.splits.search
    values = run.evaluator.evaluate(stacked, jnp.asarray(tables), genotypes, split)
    x = np.asarray(run.preprocessing(jnp.asarray(split.inputs)), np.float64)
    for i, (width, activation) in enumerate(genotypes):
        own = jax.tree.map(np.asarray, parts[owner[int(width)]])
        units = (8, 16, 32)[width]
        h = x.reshape(48, -1) @ own["hidden"]["kernel"][:, :units]
        h = h + own["hidden"]["bias"][:units]
        h = np.tanh(h) if activation else np.maximum(h, 0)
        logits = h @ own["classifier"]["kernel"][:units] + own["classifier"]["bias"]
        nll, error = measure(logits, split.labels)
        assert values["nll"][i] == pytest.approx(nll, rel=1e-4)
        assert values["error"][i] == pytest.approx(error, abs=1e-7)
    assert run.evaluator._one._cache_size() == 1
    # 9 architectures in calls of 4, of which the last is filled up.
    settings = dataclasses.replace(run.evaluator.settings, at_once=4)
    grouped = dataclasses.replace(run.evaluator, settings=settings)
    again = grouped.evaluate(stacked, jnp.asarray(tables), genotypes[:9], split)
    assert grouped._one._cache_size() == 1
    np.testing.assert_allclose(again["nll"], values["nll"][:9], rtol=1e-5)
    np.testing.assert_array_equal(again["error"], values["error"][:9])


def test_calibration_takes_what_the_weights_split_has():
    run = Run(tiny(), notify=ignore)
    large = dataclasses.replace(
        run.evaluator.settings, calibration_batches=9, calibration_batch_size=40
    )
    images = dataclasses.replace(run.evaluator, settings=large).calibration_inputs
    assert images.shape == (3, 40, 8, 8, 1)  # of 144
    assert (images.reshape(-1, 8, 8, 1) == run.splits.weights.inputs[:120]).all()
    larger = dataclasses.replace(large, calibration_batch_size=1000)
    images = dataclasses.replace(run.evaluator, settings=larger).calibration_inputs
    assert images.shape == (1, 144, 8, 8, 1)


@pytest.mark.parametrize(
    "changes",
    [{"statistics": "running"}, {"batch_size": 0}, {"calibration_batches": 0}],
)
def test_impossible_settings(changes):
    with pytest.raises(UserError, match=f"evaluation: {next(iter(changes))} is"):
        Evaluation(**changes)

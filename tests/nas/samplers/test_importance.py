"""Drawing paths by importance: identities, probabilities, bias and collapse."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from experiments.published.panda import ours, prior_only, published
from nas.errors import UserError
from nas.samplers import Feedback, ImportancePaths, Uniform
from nas.strategies.paths import option_count
from nas.training.context import Context
from search_spaces import Architecture, Decision, SearchSpace
from tests.nas.training.parts import two_layers

OPERATIONS = ("none", "skip", "conv_1", "conv_3", "pool")
CELL = SearchSpace("cell", tuple(Decision(f"edge_{i}", OPERATIONS) for i in range(2)))
# Squared norms and numbers of weights of the operations.
SQUARES = np.array([0, 0, 1, 9, 0], np.float32)
COUNTS = np.array([0, 0, 16, 144, 0], np.float32)


def context(space, progress=0.0):
    order = np.zeros(space.valid.shape, np.int32)
    return Context(space, None, None, order, progress)


@functools.partial(jax.jit, static_argnums=0)
def update(sampler, state, feedback):
    return sampler.update(state, feedback)


def tell(sampler, state, genotypes, squares=SQUARES, weight=None):
    """Tell a sampler that each option it drew has a norm of its own."""
    genotypes = np.asarray(genotypes, np.int32)
    one_hot = np.eye(5, dtype=np.float32)[genotypes]
    weight = np.ones(len(genotypes)) if weight is None else np.asarray(weight)
    weight = weight.astype(np.float32)
    sqnorm = one_hot * squares * np.square(weight)[:, None, None]
    loss = np.zeros(len(genotypes), np.float32)
    feedback = Feedback(genotypes, loss, None, sqnorm, one_hot * COUNTS, weight)
    return update(sampler, state, jax.tree.map(jnp.asarray, feedback))


def told(sampler, **changes):
    """A state after every operation was drawn on every edge."""
    state = sampler.init(jax.random.key(0), CELL)
    for k in range(5):
        state = tell(sampler, state, [[k, k]], **changes)
    return state


def probabilities(sampler, state, mix, allowed=CELL.valid):
    allowed = jnp.asarray(allowed)
    ratios = sampler.ratios(state, allowed, jnp.float32(mix))
    p = np.where(allowed, ratios, 0) / np.asarray(allowed).sum(-1, keepdims=True)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    return p.astype(np.float64)


# ----------------------------------------------------------------------- identities
@pytest.mark.parametrize("sampler", [ImportancePaths(most=0.0), ImportancePaths()])
def test_without_a_mix_it_is_uniform_to_the_last_bit(sampler):
    sampler = dataclasses.replace(sampler, paths=50)
    progress = 0.7 if sampler.most == 0 else 0.0
    allowed = CELL.valid.copy()
    allowed[0, :2] = False
    for table in (CELL.valid, allowed):
        args = context(CELL, progress), jax.random.key(4), jnp.asarray(table)
        found = sampler.sample(told(sampler), *args)
        plain = Uniform(50).sample((), *args)
        np.testing.assert_array_equal(found.genotypes, plain.genotypes)
        np.testing.assert_allclose(found.log_probability, plain.log_probability)
        np.testing.assert_array_equal(found.weight, np.ones(50))


def test_equal_norms_are_uniform():
    sampler = ImportancePaths(floor=0.0)
    state = told(sampler, squares=np.full(5, 4, np.float32))
    np.testing.assert_allclose(probabilities(sampler, state, 1.0), 0.2, rtol=1e-6)


# -------------------------------------------------------------------- probabilities
@pytest.mark.parametrize("reweight", ["none", "unbiased"])
def test_draws_follow_probabilities_and_weights_undo_them(reweight):
    sampler = ImportancePaths(most=1.0, floor=0.2, reweight=reweight, paths=20_000)
    state = told(sampler)
    allowed = CELL.valid.copy()
    allowed[1, 0] = False
    draw = sampler.sample(
        state, context(CELL, 0.8), jax.random.key(1), jnp.asarray(allowed)
    )
    p = probabilities(sampler, state, 0.8, allowed)
    genotypes = np.asarray(draw.genotypes)
    every = np.array(
        [g for g in itertools.product(range(5), range(5)) if allowed[1, g[1]]]
    )
    wanted = p[0, every[:, 0]] * p[1, every[:, 1]]
    codes = genotypes[:, 0] * 5 + genotypes[:, 1]
    seen = np.bincount(codes, minlength=25)[every[:, 0] * 5 + every[:, 1]]
    assert seen.sum() == 20_000
    assert stats.chisquare(seen, 20_000 * wanted / wanted.sum()).pvalue > 1e-3
    assert stats.chisquare(seen).pvalue < 1e-6
    # All paths were drawn, so that an expectation over them is exact.
    where = [np.flatnonzero(codes == 5 * a + b)[0] for a, b in every]
    np.testing.assert_allclose(
        np.exp(np.asarray(draw.log_probability)[where]), wanted, rtol=1e-5
    )
    grads = np.random.default_rng(0).normal(size=(len(every), 7)) + 3 * (
        every == 3
    ).sum(1, keepdims=True)
    expected = (wanted * np.asarray(draw.weight, np.float64)[where]) @ grads
    full = grads.mean(0)
    error = np.linalg.norm(expected - full) / np.linalg.norm(full)
    assert error < 1e-5 if reweight == "unbiased" else error > 0.1


def test_weights_leave_dead_decisions_out():
    space = SearchSpace(
        "depth",
        (
            Decision("depth", (1, 2)),
            Decision("second", ("a", "b"), requires=("depth", (2,))),
        ),
    )
    sampler = ImportancePaths(most=1.0, floor=0.1, reweight="unbiased", paths=200)
    state = sampler.init(jax.random.key(0), space)
    state["held"] = jnp.float32([[1, 3], [5, 1]])
    allowed = jnp.asarray(space.valid)
    draw = sampler.sample(state, context(space, 0.9), jax.random.key(0), allowed)
    r = np.asarray(sampler.ratios(state, allowed, jnp.float32(0.9)), np.float64)
    for (depth, second), weight in zip(
        np.asarray(draw.genotypes), np.asarray(draw.weight), strict=True
    ):
        live = r[0, depth] * (r[1, second] if depth == 1 else 1)
        assert weight == pytest.approx(1 / live, rel=1e-5)
    # Over what is canonical, weights undo the probabilities of what is alive.
    p = r / 2
    assert p[0, 0] / r[0, 0] + p[0, 1] / r[0, 1] * (p[1] / r[1]).sum() == pytest.approx(
        1
    )


def test_self_normalised_weights_are_divided_by_their_mean_so_far():
    sampler = ImportancePaths(reweight="self_normalised", most=1.0, paths=2)
    state, raw = told(sampler), [1.0] * 6
    plain = dataclasses.replace(sampler, reweight="unbiased")
    for number in range(5):
        args = context(CELL, 0.5), jax.random.key(number), jnp.asarray(CELL.valid)
        weights = np.asarray(plain.sample(state, *args).weight)
        draw = sampler.sample(state, *args)
        np.testing.assert_allclose(draw.weight, weights / np.mean(raw), rtol=1e-5)
        raw.append(weights.mean())
        state = tell(sampler, state, draw.genotypes, weight=draw.weight)
    # A path that counts for more has no greater norm for that.
    np.testing.assert_allclose(state["held"][:, 2:4], [[1, 3]] * 2, rtol=1e-5)


def test_variance_lies_between_that_of_uniform_and_the_least():
    # Each option has weights of its own, so that a path's gradient is its options'.
    squares = np.array([0.3, 1, 4, 9, 0.5], np.float32)
    rng = np.random.default_rng(2)
    parts = rng.normal(size=(2, 5, 8))
    parts *= np.sqrt(squares)[:, None] / np.linalg.norm(parts, axis=-1, keepdims=True)
    every = np.array(list(itertools.product(range(5), range(5))))
    grads = np.zeros((25, 2, 5, 8))
    for g, path in zip(grads, every, strict=True):
        for d, k in enumerate(path):
            g[d, k] = parts[d, k]
    grads = grads.reshape(25, -1)
    lengths = np.linalg.norm(grads, axis=1)

    def variance(p):
        return (lengths**2 / p).sum() / 25**2 - np.square(grads.mean(0)).sum()

    best = lengths.sum() ** 2 / 25**2 - np.square(grads.mean(0)).sum()
    assert variance(lengths / lengths.sum()) == pytest.approx(best)
    sampler = ImportancePaths()
    p = probabilities(sampler, told(sampler, squares=squares), 0.5)
    found = variance(p[0, every[:, 0]] * p[1, every[:, 1]])
    assert best < found < 0.95 * variance(np.full(25, 1 / 25))


# ------------------------------------------------------------------------- learning
def test_running_mean_and_epochs():
    sampler = ImportancePaths(decay=0.5, steps_per_epoch=3, most=1.0)
    state = sampler.init(jax.random.key(0), CELL)
    norms = [2.0, 4.0, 8.0, 10.0]
    for number, norm in enumerate(norms):
        squares = SQUARES * 0 + np.float32(norm**2)
        state = tell(sampler, state, [[2, 3]], squares)
        held = float(state["held"][0, 2])
        assert held == pytest.approx(-1 if number < 2 else (3 + 8) / 2)
    assert float(state["running"][0, 2]) == pytest.approx(10)
    # Within an epoch the mix stays what it was at its start.
    state["steps"] = jnp.int32(7)
    assert float(sampler.mix(state, 7 / 30)) == pytest.approx(6 / 30)
    state["steps"] = jnp.int32(2)
    assert float(sampler.mix(state, 2 / 30)) == 0


def test_scope_and_normalisation():
    state = told(ImportancePaths(normalise="rms"))
    np.testing.assert_allclose(state["held"][:, 2:4], [[1 / 4, 3 / 12]] * 2)
    sampler = ImportancePaths(scope="global")
    state = sampler.init(jax.random.key(0), CELL)
    squares = np.stack([SQUARES, 9 * SQUARES])
    state = tell(sampler, state, [[2, 2]], squares)
    state = tell(sampler, state, [[3, 1]], squares)
    np.testing.assert_allclose(state["held"][:, 2:4], [[2, 3]] * 2)
    with pytest.raises(UserError, match="scope decision"):
        sampler.init(
            jax.random.key(0),
            SearchSpace("two", (Decision("a", (1, 2)), Decision("b", (1, 3)))),
        )


def test_a_global_scope_leaves_out_decisions_without_a_choice():
    options = ("none", "conv")
    space = SearchSpace(
        "fixed",
        (Decision("a", options), Decision("b", ("conv",)), Decision("c", options)),
    )
    sampler = ImportancePaths(scope="global", most=1.0, floor=0.0)
    state = sampler.init(jax.random.key(0), space)
    # The fixed convolution's gradient is none of the first option's.
    squares = jnp.asarray([[[0, 4], [100, 0], [0, 4]]], jnp.float32)
    genotypes, one = jnp.asarray([[1, 0, 1]], jnp.int32), jnp.ones(1, jnp.float32)
    state = sampler.update(state, Feedback(genotypes, one, None, squares, None, one))
    np.testing.assert_allclose(state["held"][:, 1], [2, 2, 2])
    assert (np.asarray(state["held"][:, 0]) < 0).all()


def test_controls():
    prior = ImportancePaths(importance="none", floor=0.0)
    p = probabilities(prior, told(prior), 0.6)
    np.testing.assert_allclose(p[0], [0.08, 0.08, 0.38, 0.38, 0.08], rtol=1e-5)
    chance = ImportancePaths(importance="random", floor=0.0)
    start = chance.init(jax.random.key(0), CELL)
    assert (np.asarray(start["held"]) >= 0).all()
    np.testing.assert_array_equal(told(chance)["held"], start["held"])


# ------------------------------------------------------------------------- collapse
def test_published_rule_ends_without_parameter_free_options():
    last = 249 / 250
    strategy, _ = published(5)
    sampler = strategy.sampler
    p = probabilities(sampler, told(sampler), last)
    np.testing.assert_allclose(p[:, [0, 1, 4]], (1 - last) / 5, rtol=1e-3)
    assert p[0, 3] == pytest.approx(3 * p[0, 2], rel=0.01)
    # So are 98.6 % of the paths through six edges at the end.
    assert (1 - p[0, [0, 1, 4]].sum()) ** 6 == pytest.approx(0.986, abs=5e-4)
    # It takes no gradient for that.
    control = prior_only(5).sampler
    prior = probabilities(control, told(control), last)
    np.testing.assert_allclose(prior[:, [0, 1, 4]], p[:, [0, 1, 4]], rtol=1e-3)


def test_our_rule_keeps_every_option():
    sampler = ours()[0].sampler
    state = told(sampler)
    at = context(CELL, 1.0)
    p = probabilities(sampler, state, sampler.most)
    free = p[:, [0, 1, 4]]
    # They are drawn as often as the mean of the others.
    np.testing.assert_allclose(free, p[:, [2, 3]].mean(), rtol=1e-5)
    health = sampler.health(state, at, jnp.asarray(CELL.valid))
    assert float(health["paths/least_probability"]) == pytest.approx(p.min())
    assert p.min() > sampler.floor / 5
    assert 1.4 < float(health["paths/entropy"]) < np.log(5)


def test_options_weights_are_counted():
    supernet = two_layers()
    space = supernet.space
    shapes = jax.eval_shape(supernet.init, jax.random.key(0))
    at = dataclasses.replace(context(space), activity=supernet.activity)
    counts = [
        np.asarray(option_count(at, Architecture.hard(space, jnp.int32(g)), shapes))
        for g in ((0, 1), (2, 0))
    ]
    costs = supernet.costs(np.array([(0, 1), (2, 0)]))["params"]
    assert counts[1][0, 2] - counts[0][0, 0] == costs[1] - costs[0]
    assert (counts[0][0, 1:] == 0).all() and (counts[0][1] == 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"paths": 0},
        {"steps_per_epoch": -1},
        {"most": 2.0},
        {"floor": -1.0},
        {"decay": 1.1},
        {"scope": "edge"},
        {"normalise": "l1"},
        {"parameter_free": "one"},
        {"reweight": "some"},
        {"importance": "loss"},
    ],
)
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(UserError, match=next(iter(changes))):
        ImportancePaths(**changes)

"""Architectures: canonical on entry, hard and soft, straight-through, stacked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import Architecture, Decision, SearchSpace, SpaceError
from tests.search_spaces.random_spaces import raw_genotypes, small_spaces

SPACE = SearchSpace(
    "toy",
    (
        Decision("depth", (1, 2, 3)),
        Decision("width_2", (8, 16), requires=("depth", (2, 3))),
        Decision("width_3", (8, 16), requires=("depth", (3,))),
        Decision("operation", ("conv", "skip")),
    ),
)


def random_rows(space, seed):
    rows = np.random.default_rng(seed).random(space.valid.shape) * space.valid
    return (rows / rows.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("traced", [False, True])
def test_hard_architectures_enter_in_canonical_form(traced):
    def make(genotype):
        return Architecture.hard(SPACE, genotype)

    for genotype in raw_genotypes(SPACE):
        arch = (jax.jit(make) if traced else make)(genotype)
        canonical = SPACE.canonical(genotype)
        np.testing.assert_array_equal(arch.indices, canonical)
        np.testing.assert_array_equal(arch.weights, np.eye(3)[canonical])
        choice = arch["depth"]
        assert choice.options == (1, 2, 3)
        assert int(choice.index) == canonical[0]
        assert arch["operation"].weights.shape == (2,)


def one_hot(space, genotype):
    return jnp.asarray(np.eye(space.max_options, dtype=np.float32)[genotype])


@settings(max_examples=8)
@given(small_spaces())
def test_canonical_weights_of_one_hot_rows_are_canonical(space):
    raw = raw_genotypes(space)[:40]
    rows = jax.vmap(space.canonical_weights)(one_hot(space, raw))
    np.testing.assert_array_equal(rows, one_hot(space, space.canonical(raw)))


@settings(max_examples=8)
@given(small_spaces(), st.integers(0, 1000))
def test_canonical_weights_are_the_expected_canonical_genotype(space, seed):
    weights = random_rows(space, seed)
    raw = raw_genotypes(space)
    # Decisions are drawn independently by their rows, then made canonical.
    chance = np.prod(weights[np.arange(space.num_decisions), raw], axis=1)
    expected = np.einsum("g,gdo->do", chance, one_hot(space, space.canonical(raw)))
    found = Architecture.soft(space, jnp.asarray(weights)).weights
    np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=8)
@given(small_spaces(), st.integers(0, 1000))
def test_live_weights_are_the_rows_before_they_were_canonical(space, seed):
    weights = jnp.asarray(random_rows(space, seed) + 0.05 * space.valid)
    weights = weights / weights.sum(1, keepdims=True)
    arch = Architecture.soft(space, weights)
    np.testing.assert_allclose(arch.given_alive().weights, weights, atol=1e-4)
    hard = Architecture.hard(space, space.enumerate()[-1])
    assert hard.given_alive() is hard


def test_expectations_have_a_slope_however_improbable_a_decision_is():
    table = jnp.asarray([1.0, 2.0, 0.0])

    @jax.jit
    @jax.grad
    def slope(rows):
        weights = Architecture.soft(SPACE, rows).given_alive().weights
        return (weights[0, 1] + weights[0, 2]) * (weights[1] * table).sum()

    for p in (1e-4, 1e-16, 1e-22, 1e-30, 0.0):
        rows = jnp.asarray([[1 - p, p, 0], [0.5, 0.5, 0], [1, 0, 0], [1, 0, 0]])
        found = np.asarray(slope(rows.astype(jnp.float32)))
        assert np.isfinite(found).all(), p
    # Where it is all but never alive it costs as option 0 does, to first order.
    assert found[0, 1] == pytest.approx(1)


def test_dead_decisions_do_not_touch_the_gradient():
    def total(weights):
        rows = SPACE.canonical_weights(weights)
        return jnp.sum(rows * jnp.arange(12.0).reshape(4, 3))

    shallow = one_hot(SPACE, np.asarray([0, 1, 1, 0]))
    gradient = jax.grad(total)(shallow)
    np.testing.assert_array_equal(gradient[1:3], 0)
    deep = jax.grad(total)(one_hot(SPACE, np.asarray([2, 1, 1, 0])))
    assert deep[1:3, 1].all()


def test_straight_through_weights_keep_hard_values_and_soft_gradients():
    genotype = jnp.asarray([1, 1, 1, 0], jnp.int32)
    scores = jnp.asarray([0.5, -0.5, 2.0])

    def arch_of(logits):
        p = jnp.tile(jax.nn.softmax(logits)[None], (4, 1))
        through = one_hot(SPACE, np.asarray(genotype)) + p - jax.lax.stop_gradient(p)
        return Architecture.hard(SPACE, genotype, through)

    arch = arch_of(scores)
    np.testing.assert_allclose(
        arch.weights, one_hot(SPACE, np.asarray([1, 1, 0, 0])), atol=1e-6
    )
    assert arch.indices is not None

    def through(logits):
        return arch_of(logits)["depth"].mask(np.eye(3, dtype=bool))[1]

    # Of the chosen entry alone: d softmax_1 / d logits.
    p = jax.nn.softmax(scores)
    expected = p[1] * (jnp.eye(3)[1] - p)
    np.testing.assert_allclose(jax.grad(through)(scores), expected, rtol=1e-5)
    # A dead decision's weights are not used.
    dead = jax.grad(lambda s: arch_of(s)["width_3"].weights.sum())(scores)
    np.testing.assert_array_equal(dead, 0)


def test_stacked_choices_are_those_of_each_decision():
    for arch in (
        Architecture.hard(SPACE, np.asarray([2, 1, 0, 0])),
        Architecture.soft(SPACE, jnp.asarray(random_rows(SPACE, 0))),
    ):
        stacked = arch.stack(["width_2", "width_3"])
        assert stacked.options == (8, 16)

        def body(carry, choice):
            return carry, choice.mask(np.asarray([[1, 0], [1, 1]], bool))

        _, masks = jax.lax.scan(body, 0, stacked)
        for row, name in zip(masks, ("width_2", "width_3"), strict=True):
            expected = arch[name].mask(np.asarray([[1, 0], [1, 1]], bool))
            np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_wrong_names_and_unlike_decisions_are_refused():
    arch = Architecture.hard(SPACE, np.zeros(4, np.int32))
    with pytest.raises(SpaceError, match=r"no decision 'dept'\. Did you mean depth"):
        arch["dept"]
    with pytest.raises(SpaceError, match="'operation' has other options"):
        arch.stack(["width_2", "operation"])


def test_architectures_pass_through_programs_as_trees():
    arch = Architecture.hard(SPACE, np.asarray([1, 1, 1, 1]))
    again = jax.jit(lambda a: a)(arch)
    assert again.space == SPACE
    np.testing.assert_array_equal(again.weights, arch.weights)
    assert len(jax.tree.leaves(arch)) == 2
    soft = Architecture.soft(SPACE, arch.weights)
    assert len(jax.tree.leaves(soft)) == 1

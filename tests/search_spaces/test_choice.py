"""Choices against explicit sums over options, in values and in derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Choice, joint, prefix
from tests.search_spaces.differences import check_slope


def soft(weights, name="a") -> Choice:
    weights = jnp.asarray(weights, jnp.float32)
    return Choice(weights, None, (name,), tuple(range(len(weights))))


def hard(index, num, name="a", weight=1.0) -> Choice:
    weights = jnp.float32(weight) * jax.nn.one_hot(index, num, dtype=jnp.float32)
    return Choice(weights, jnp.asarray(index, jnp.int32), (name,), tuple(range(num)))


WEIGHTS = np.asarray([0.2, 0.5, 0.3], np.float32)


# ---------------------------------------------------------------------------- masks
def test_a_mask_superposes_padded_slices():
    tensor = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    rows, columns = (1, 3, 4), (2, 2, 6)
    total = np.zeros_like(tensor)
    for w, r, c in zip(WEIGHTS, rows, columns, strict=True):
        total[:r, :c] += w * tensor[:r, :c]
    mask = soft(WEIGHTS).mask(prefix(rows, 4), prefix(columns, 6))
    np.testing.assert_allclose(tensor * mask, total, rtol=1e-6)


def test_a_mask_of_any_members_and_no_members():
    rings = np.asarray([[0, 1, 0], [1, 1, 1], [1, 0, 1]], bool)
    np.testing.assert_allclose(soft(WEIGHTS).mask(rings), WEIGHTS @ rings, rtol=1e-6)
    np.testing.assert_allclose(soft(WEIGHTS).mask(), WEIGHTS.sum(), rtol=1e-6)


@pytest.mark.parametrize("index", range(3))
def test_a_hard_mask_is_the_one_hot_soft_mask(index):
    members = prefix((1, 3, 4), 4), prefix((2, 5, 6), 6)
    expected = soft(np.eye(3)[index]).mask(*members)
    np.testing.assert_array_equal(hard(index, 3).mask(*members), expected)


def test_prefix_refuses_sizes_that_do_not_fit():
    np.testing.assert_array_equal(prefix((1, 3), 3), [[1, 0, 0], [1, 1, 1]])
    with pytest.raises(ValueError, match=r"sizes \[0, 4\] .* not in 1 to 3"):
        prefix((0, 3, 4), 3)


# ---------------------------------------------------------------------------- joint
def test_joint_is_the_outer_product():
    a, b = soft(WEIGHTS, "a"), soft([0.25, 0.75], "b")
    both = joint(a, b)
    assert both.names == ("a", "b")
    assert both.options == tuple(itertools.product(range(3), range(2)))
    np.testing.assert_allclose(both.weights, np.outer(WEIGHTS, [0.25, 0.75]).ravel())
    picked = joint(hard(2, 3, "a"), hard(1, 2, "b"))
    assert int(picked.index) == 2 * 2 + 1
    np.testing.assert_array_equal(picked.weights, np.eye(6)[5])


def test_a_decision_used_twice_stays_one_choice():
    a, b = soft(WEIGHTS, "a"), soft([0.25, 0.75], "b")
    assert joint(a, a) is a
    np.testing.assert_array_equal(joint(a, b, a).weights, joint(a, b).weights)
    with pytest.raises(ValueError, match="a is part of two different choices"):
        joint(joint(a, b), a)


def test_of_a_tied_tensor_the_product_of_masks_is_wrong():
    # Input and output of one width: option k is the square slice k.
    member = prefix((1, 2, 4), 4)
    a = soft(WEIGHTS)
    squares = sum(w * np.outer(m, m) for w, m in zip(WEIGHTS, member, strict=True))
    np.testing.assert_allclose(joint(a, a).mask(member, member), squares, rtol=1e-6)
    product = np.outer(a.mask(member), a.mask(member))
    assert np.abs(product - squares).max() > 0.2


# ---------------------------------------------------------------------------- group
def test_a_group_splits_mass_and_conditional_choices():
    outer, (first, second) = soft([0.1, 0.3, 0.2, 0.4]).group([[0, 2], [1, 3]])
    np.testing.assert_allclose(outer.weights, [0.3, 0.7], rtol=1e-6)
    np.testing.assert_allclose(first.weights, [1 / 3, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(second.weights, [3 / 7, 4 / 7], rtol=1e-6)
    assert first.options == (0, 2)
    assert outer.options == ((0, 2), (1, 3))


@pytest.mark.parametrize("index", range(4))
def test_a_hard_group_is_the_one_hot_soft_group(index):
    groups = [[0, 2], [1, 3]]
    outer, inner = hard(index, 4).group(groups)
    soft_outer, soft_inner = soft(np.eye(4)[index]).group(groups)
    np.testing.assert_array_equal(outer.weights, soft_outer.weights)
    for ours, theirs in zip(inner, soft_inner, strict=True):
        np.testing.assert_array_equal(ours.weights, theirs.weights)
    g = int(outer.index)
    assert groups[g][int(inner[g].index)] == index
    assert int(inner[1 - g].index) == 0


def test_a_hard_group_differentiates_the_chosen_weight_only():
    def total(weights):
        choice = Choice(weights, jnp.int32(1), ("a",), tuple(range(4)))
        outer, inner = choice.group([[0, 2], [1, 3]])
        return outer.weights[1] * 3 + jnp.sum(inner[1].weights * jnp.asarray([5.0, 7]))

    # The others are what a straight-through estimator may have there.
    weights = jnp.asarray([0.2, 1.0, 0.1, 0.4], jnp.float32)
    np.testing.assert_allclose(jax.grad(total)(weights), [0, 3, 0, 0], atol=1e-6)


def test_a_group_without_mass_has_no_nan_in_value_or_gradient():
    def total(weights):
        outer, inner = soft(weights).group([[0, 1], [2, 3]])
        parts = [jnp.sum(choice.weights * jnp.asarray([1.0, 2.0])) for choice in inner]
        return jnp.sum(outer.weights * jnp.stack(parts))

    weights = jnp.asarray([0.25, 0.75, 0.0, 0.0], jnp.float32)
    value, gradient = jax.value_and_grad(total)(weights)
    np.testing.assert_allclose(value, 1.75)
    assert np.isfinite(gradient).all()
    # Mass times conditional expectation is the expectation: its slope is exact.
    np.testing.assert_allclose(gradient[:2], [1.0, 2.0], rtol=1e-6)


def test_groups_that_are_no_partition_are_refused():
    for groups in ([[0, 1]], [[0, 1], [1, 2]], [[0, 1], [2, 3]]):
        with pytest.raises(ValueError, match="no partition of the 3 options"):
            soft(WEIGHTS).group(groups)


# --------------------------------------------------------------------------- select
BRANCHES = (
    lambda p, x: p["w"] * jnp.sin(x),
    lambda p, x: p["v"] * jnp.square(x),
    lambda p, x: jnp.zeros_like(x),
)
PARAMS = {"w": jnp.float32(1.5), "v": jnp.float32(-0.5)}
X = jnp.asarray([0.3, -1.2], jnp.float32)


def run(choice, params=PARAMS, x=X):
    return choice.select(BRANCHES, params, x)


def loss(params, x, choice):
    return jnp.sum(jnp.exp(run(choice, params, x)))


def test_soft_select_is_the_weighted_sum():
    expected = sum(w * b(PARAMS, X) for w, b in zip(WEIGHTS, BRANCHES, strict=True))
    np.testing.assert_allclose(run(soft(WEIGHTS)), expected, rtol=1e-6)


@pytest.mark.parametrize("index", range(3))
def test_hard_select_is_the_one_hot_soft_select(index):
    grad = jax.value_and_grad(loss, argnums=(0, 1))
    found = grad(PARAMS, X, hard(index, 3))
    expected = grad(PARAMS, X, soft(np.eye(3)[index]))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_of_the_weights_hard_gives_the_chosen_entry_and_soft_all():
    def of_weights(weights, index):
        return jnp.sum(run(Choice(weights, index, ("a",), (0, 1, 2))))

    one_hot = jnp.asarray([0, 1, 0], jnp.float32)
    sums = np.asarray([branch(PARAMS, X).sum() for branch in BRANCHES])
    found = jax.grad(of_weights)(one_hot, jnp.int32(1))
    np.testing.assert_allclose(found, [0, sums[1], 0], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(of_weights)(one_hot, None), sums, rtol=1e-6)


def test_only_the_chosen_branch_runs_forward_and_backward():
    ran = []

    def branch(number):
        @jax.custom_vjp
        def noted(x):
            jax.debug.callback(lambda: ran.append(("forward", number)))
            return x

        def backward(_, dy):
            jax.debug.callback(lambda: ran.append(("backward", number)))
            return (dy,)

        noted.defvjp(lambda x: (noted(x), None), backward)
        return lambda x: (number + 1) * noted(x)

    branches = [branch(k) for k in range(3)]

    @jax.jit
    def gradient(x, index):
        return jax.grad(lambda x: hard(index, 3).select(branches, x))(x)

    for index in (2, 0):
        ran.clear()
        assert gradient(jnp.float32(1), index) == index + 1
        jax.effects_barrier()
        assert set(ran) == {("forward", index), ("backward", index)}


def test_select_under_scan_and_jit_traces_once():
    traced = []

    def first(x):
        traced.append(0)
        return 2 * x

    def scan(x, indices):
        def step(x, index):
            return hard(index, 2).select([first, jnp.sin], x), None

        return jax.lax.scan(step, x, indices)[0]

    gradient = jax.jit(jax.value_and_grad(scan))
    for indices in ([0, 1, 0], [1, 1, 1], [0, 0, 0]):
        value, slope = gradient(jnp.float32(0.3), jnp.asarray(indices))
        expected, expected_slope = 0.3, 1.0
        for index in indices:
            if index == 0:
                expected, expected_slope = 2 * expected, 2 * expected_slope
            else:
                expected_slope *= np.cos(expected)
                expected = np.sin(expected)
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        np.testing.assert_allclose(slope, expected_slope, rtol=1e-6)
        if indices == [0, 1, 0]:
            num_traces = len(traced)
    assert len(traced) == num_traces


def test_integers_and_keys_may_be_operands():
    branches = [
        lambda x, n, key: x * n.astype(x.dtype),
        lambda x, n, key: x * jax.random.uniform(key),
    ]

    def scaled(x, index):
        return hard(index, 2).select(branches, x, jnp.int32(7), jax.random.key(3))

    gradient = jax.jit(jax.grad(scaled))
    np.testing.assert_allclose(gradient(jnp.float32(2), 0), 7)
    uniform = jax.random.uniform(jax.random.key(3))
    np.testing.assert_allclose(gradient(jnp.float32(2), 1), uniform)


@pytest.mark.parametrize("make", [lambda k: hard(k, 2), lambda k: soft(np.eye(2)[k])])
def test_aux_comes_from_what_ran(make):
    branches = [
        lambda x: (2 * x, {"mean": x.mean(), "other": jnp.zeros(())}),
        lambda x: (3 * x, {"mean": jnp.zeros(()), "other": x.sum()}),
    ]
    x = jnp.asarray([1.0, 3.0])
    value, aux = make(1).select(branches, x, has_aux=True)
    np.testing.assert_allclose(value, 3 * x)
    np.testing.assert_allclose(aux["other"], 4.0)
    # Hard, the other branch never ran; soft, it did, whatever its weight.
    np.testing.assert_allclose(aux["mean"], 0.0 if make(1).index is not None else 2.0)


@pytest.mark.parametrize("index", [None, 0, 1])
def test_select_has_a_second_derivative_reverse_over_reverse(index):
    with jax.enable_x64(True):
        weights = WEIGHTS if index is None else np.eye(3)[index]
        params, x = {"w": 1.5, "v": -0.5}, [0.3, -1.2]
        point = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64),
            (params, np.asarray(x), np.asarray(weights)),
        )

        def total(point):
            params, x, weights = point
            choice = Choice(weights, index, ("a",), (0, 1, 2))
            return jnp.sum(jnp.exp(choice.select(BRANCHES, params, x)))

        check_slope(total, point)


def test_the_number_of_branches_is_checked():
    with pytest.raises(ValueError, match="2 branches for the 3 options of a"):
        soft(WEIGHTS).select(BRANCHES[:2], PARAMS, X)

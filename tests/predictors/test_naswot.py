"""NASWOT against Hamming distances by hand, through loops and branches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predictors.zero_cost.naswot import NASWOT
from predictors.zero_cost.relu_agreement import relu_agreement


def kernel(*inputs):
    """Count by hand the units at which two examples agree."""
    codes = np.concatenate([np.asarray(x).reshape(len(x), -1) > 0 for x in inputs], 1)
    distance = (codes[:, None] != codes[None]).sum(-1)
    return codes.shape[1] - distance


def hidden(params, x):
    return jax.nn.relu(x @ params["first"]) @ params["second"]


def test_one_hidden_layer_and_three_examples():
    rng = np.random.default_rng(0)
    params = {"first": rng.normal(size=(2, 5)), "second": rng.normal(size=(5, 2))}
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
    x = jnp.asarray([[1.0, 2.0], [-1.0, 0.5], [0.3, -2.0]])
    expected = kernel(x @ params["first"])
    found, units = relu_agreement(hidden, 3, params, x)
    np.testing.assert_array_equal(found, expected)
    assert units == 5
    score = NASWOT().score(hidden, params, x)
    assert score == pytest.approx(np.linalg.slogdet(expected)[1], rel=1e-5)
    twice = jnp.concatenate([x, x[:1]])
    assert NASWOT().score(hidden, params, twice) < -10


def test_relus_in_loops_and_branches_count_as_often_as_they_run():
    rng = np.random.default_rng(1)
    weights = jnp.asarray(rng.normal(size=(3, 4, 4)), jnp.float32)
    x = jnp.asarray(rng.normal(size=(6, 4)), jnp.float32)

    @jax.jit
    def found(taken):
        def layer(x, own):
            weight, index = own
            branches = [jnp.tanh, jax.nn.relu, lambda x: jnp.maximum(0, x) + x]
            # With a constant of the loop, and with results that are stacked.
            return jax.lax.switch(index, branches, x @ weight), (x + scale).sum()

        def network(x):
            return jax.checkpoint(lambda x: jax.lax.scan(layer, x, (weights, taken)))(x)

        scale = x.mean()

        return relu_agreement(network, 6, x)[0]

    def expected(taken):
        seen, y = [], x
        for weight, index in zip(weights, taken, strict=True):
            y = y @ weight
            seen += [y] if index else []
            y = [jnp.tanh(y), jnp.maximum(y, 0), jnp.maximum(y, 0) + y][index]
        return kernel(*seen)

    for taken in ([1, 0, 2], [0, 2, 0], [1, 1, 1]):
        np.testing.assert_array_equal(found(jnp.asarray(taken)), expected(taken))


def test_units_that_are_switched_off_do_not_count():
    x = jnp.asarray(np.random.default_rng(2).normal(size=(4, 5)), jnp.float32)
    mask = jnp.asarray([1.0, 0, 1, 0, 1])
    found, units = relu_agreement(lambda x: jax.nn.relu(x * mask[None]), 4, x)
    np.testing.assert_array_equal(found, kernel(x[:, ::2]))
    assert units == 3


def test_the_order_of_examples_does_not_matter():
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.normal(size=(5, 8)), jnp.float32)
    scores = [
        NASWOT().score(lambda p, x: jax.nn.relu(x * p), jnp.ones((1, 1)), x[order])
        for order in (np.arange(5), rng.permutation(5))
    ]
    assert scores[0] == pytest.approx(float(scores[1]), rel=1e-5)


def test_what_cannot_be_followed_is_refused():
    x = jnp.ones((3, 4))
    with pytest.raises(ValueError, match="no max"):
        relu_agreement(lambda x: jax.nn.gelu(x), 3, x)
    with pytest.raises(ValueError, match="no max"):
        relu_agreement(lambda x: jnp.maximum(x.mean(1), 0), 3, x)

    def loop(x):
        return jax.lax.while_loop(lambda x: x.sum() > 1, jax.nn.relu, x)

    with pytest.raises(ValueError, match="inside 'while'"):
        relu_agreement(loop, 3, x)

"""Zero-cost proxies against what their definitions give by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predictors.zero_cost.grad_norm import GradNorm
from predictors.zero_cost.snip import SNIP
from predictors.zero_cost.synflow import SynFlow


def linear(params, x):
    return x @ params["first"] @ params["second"]


def two_layers(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"first": (3, 4), "second": (4, 2)}
    return {k: jnp.asarray(rng.normal(size=s), jnp.float32) for k, s in shapes.items()}


def test_synflow_of_two_linear_layers_is_twice_their_flow():
    # Each layer conserves the flow R = 1' |A| |B| 1, so the sum over layers is 2 R.
    params = two_layers()
    absolute = [np.abs(np.asarray(params[k], np.float64)) for k in ("first", "second")]
    flow = np.ones(3) @ absolute[0] @ absolute[1] @ np.ones(2)
    found = SynFlow().score(linear, params, jnp.full((5, 3), -8.0))
    assert np.exp(found) == pytest.approx(2 * flow, rel=1e-5)


def test_synflow_sees_no_data_and_no_sign():
    params = two_layers()
    other = jax.tree.map(jnp.negative, params)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(7, 3)), jnp.float32)
    expected = SynFlow().score(linear, params, jnp.zeros((1, 3)))
    assert SynFlow().score(linear, other, x) == expected


def batch(seed=2):
    rng = np.random.default_rng(seed)
    x = jnp.asarray(rng.normal(size=(6, 3)), jnp.float32)
    return x, jnp.asarray(rng.integers(0, 2, 6), jnp.int32)


def gradients(params, x, labels):
    """Differentiate by hand the mean cross-entropy of two linear layers."""
    first, second = (np.asarray(params[k], np.float64) for k in ("first", "second"))
    x, labels = np.asarray(x, np.float64), np.asarray(labels)
    logits = x @ first @ second
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = (shares - np.eye(2)[labels]) / len(x)
    return {"first": x.T @ wrong @ second.T, "second": (x @ first).T @ wrong}


def test_snip_and_the_norm_of_the_gradient_are_what_their_papers_define():
    params, (x, labels) = two_layers(), batch()
    by_hand = gradients(params, x, labels)
    found = SNIP().score(linear, params, x, labels)
    parts = [np.abs(np.asarray(params[k]) * by_hand[k]).sum() for k in params]
    assert found == pytest.approx(sum(parts), rel=1e-4)
    norms = [np.sqrt((by_hand[k] ** 2).sum()) for k in params]
    found = GradNorm().score(linear, params, x, labels)
    assert found == pytest.approx(sum(norms), rel=1e-4)


def test_snip_is_of_the_function_and_the_norm_of_its_weights():
    # A layer times c and the next one by c is the same function; so is another order
    # of hidden units. What multiplies w divides its gradient.
    params, (x, labels) = two_layers(), batch()
    order = np.array([2, 0, 3, 1])
    moved = {"first": 8 * params["first"], "second": params["second"] / 8}
    mixed = {"first": params["first"][:, order], "second": params["second"][order]}
    scores = [
        [float(proxy.score(linear, p, x, labels)) for p in (params, moved, mixed)]
        for proxy in (SNIP(), GradNorm())
    ]
    assert scores[0][1:] == pytest.approx(scores[0][:1] * 2, rel=1e-5)
    assert scores[1][2] == pytest.approx(scores[1][0], rel=1e-5)
    assert scores[1][1] != pytest.approx(scores[1][0], rel=0.1)
    # And both depend on the labels, which are those of the batch.
    for proxy, (first, *_) in zip((SNIP(), GradNorm()), scores, strict=True):
        assert float(proxy.score(linear, params, x, 1 - labels)) != first
        with pytest.raises(ValueError, match="there are no labels"):
            proxy.score(linear, params, x)

"""Zero-cost proxies against what their definitions give by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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

"""What every predictor and every zero-cost proxy does, found by walking the package."""

import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

import predictors
from predictors.base import Predictor
from predictors.discovery import discover_predictors, discover_proxies
from predictors.linear_formula import FitFormula
from predictors.zero_cost import Proxy

# Those that cannot be made without being told something.
MADE = {FitFormula: lambda: FitFormula(tuple("abc"), "made here")}

# Trees are constant between 60 points, and cannot follow a slope as the others do.
ORDER = {"RandomForest": 0.8}


def discovered(kind):
    found = set()
    for module in pkgutil.walk_packages(predictors.__path__, "predictors."):
        for _, value in inspect.getmembers(importlib.import_module(module.name)):
            concrete = inspect.isclass(value) and not inspect.isabstract(value)
            if concrete and issubclass(value, kind):
                found.add(value)
    return sorted(found, key=lambda value: value.__name__)


def test_the_walk_finds_the_parts():
    names = {value.__name__ for value in discovered(Predictor) + discovered(Proxy)}
    assert {"Ridge", "FitFormula", "SynFlow", "NASWOT", "SNIP", "AZNAS"} <= names
    assert set(discover_proxies().values()) == set(discovered(Proxy))
    assert {"ridge", "forest", "mlp", "formula"} == set(discover_predictors())


@pytest.mark.parametrize("kind", discovered(Predictor), ids=lambda kind: kind.__name__)
def test_every_predictor_learns_the_order_of_a_linear_function(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = 20 + x @ [3.0, -2, 1]  # above 0, as latencies are
    predictor = MADE.get(kind, kind)()
    fitted = predictor.fit(x[:60], y[:60])
    found = fitted.predict(x[60:])
    assert found.mean.shape == (20,) and found.mean.dtype == np.float64
    assert np.corrcoef(found.mean, y[60:])[0, 1] > ORDER.get(kind.__name__, 0.9)
    assert found.std is None or (found.std.shape == (20,) and (found.std >= 0).all())
    again = predictor.fit(x[:60], y[:60]).predict(x[60:])
    np.testing.assert_array_equal(again.mean, found.mean)
    assert hash(predictor) == hash(MADE.get(kind, kind)())


@pytest.mark.parametrize("kind", discovered(Proxy), ids=lambda kind: kind.__name__)
def test_every_proxy_traces_to_finite_numbers_that_make_one(kind):
    proxy = MADE.get(kind, kind)()
    key = jax.random.key(0)
    shapes = {"first": (4, 32), "second": (32, 3)}
    params = {
        name: jax.random.normal(jax.random.fold_in(key, i), shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    x = jax.random.normal(key, (6, 4))
    labels = jnp.arange(6) % 3

    def apply(p, x):
        # Its blocks are marked, for those that look at them.
        hidden = jax.nn.relu(checkpoint_name(x, "block_input") @ p["first"])
        hidden = checkpoint_name(hidden, "block_output")
        return checkpoint_name(hidden @ p["second"], "block_output")

    found = jax.jit(lambda p, x: proxy.score(apply, p, x, labels))(params, x)
    assert found.ndim <= 1 and jnp.isfinite(found).all()
    plainly = proxy.score(apply, params, x, labels)
    np.testing.assert_allclose(found, plainly, rtol=1e-4)
    scores = np.stack([np.asarray(found)] * 3)
    one = proxy.assemble(scores, np.arange(1, 4))
    assert one.shape == (3,) and np.isfinite(one).all()

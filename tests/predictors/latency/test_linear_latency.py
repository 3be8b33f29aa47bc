"""The linear latency model: exact on sums, relative errors, and its own penalty."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predictors.latency import (
    crossed_error,
    fitted_error,
    held_out,
    standard,
)
from predictors.latency.linear import LinearLatency


def blocks(seed=0, n=60, decisions=6, options=4):
    """One-hot choices, and what a table of blocks adds up to."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, options, (n, decisions))
    x = np.eye(options)[chosen].reshape(n, -1)
    table = rng.uniform(0.1, 2, decisions * options)
    return x, x @ table + 0.7


def test_additive_latencies_are_recovered_exactly():
    x, ms = blocks()
    fit = np.arange(60) < 40
    error = fitted_error(standard(), x, ms, fit)
    assert error.n == 20 and error.mape < 1e-6 and error.tau == pytest.approx(1)
    assert crossed_error(standard(), x, ms).mape < 1e-6


def test_the_fit_is_weighted_ridge_and_its_penalty_leaves_one_out_best():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(14, 4)) * [1, 10, 0.1, 3]
    ms = np.exp(rng.normal(size=14)) + 1
    penalties = (0.01, 1.0, 30.0)

    importance = 1 / np.maximum(ms, 0.5 * np.median(ms)) ** 2
    importance /= importance.mean()
    centre = importance @ x / 14
    scale = np.sqrt(importance @ (x - centre) ** 2 / 14)
    z = np.column_stack([(x - centre) / scale, np.ones(14)])

    def solve(rows, penalty):
        gram = z[rows].T * importance[rows] @ z[rows]
        ridge = penalty * np.diag([1.0, 1, 1, 1, 0])
        return np.linalg.solve(gram + ridge, z[rows].T @ (importance[rows] * ms[rows]))

    def left_out(penalty):
        rest = [np.delete(np.arange(14), i) for i in range(14)]
        guesses = [z[i] @ solve(rows, penalty) for i, rows in enumerate(rest)]
        return np.mean(importance * (guesses - ms) ** 2)

    best = min(penalties, key=left_out)
    fitted = LinearLatency(penalties=penalties).fit(x, ms)
    assert fitted.penalty == best
    expected = z @ solve(np.arange(14), best)
    np.testing.assert_allclose(fitted.predict(x).mean, expected, rtol=1e-9)


def test_networks_that_take_next_to_no_time_do_not_outweigh_the_others():
    x, ms = blocks(n=160)
    wild = ms.copy()
    wild[3] = 1e-4

    def error(floor):
        fitted = LinearLatency(floor=floor).fit(x[:80], wild[:80])
        return held_out(ms[80:], fitted.predict(x[80:]).mean)

    assert error(0.5).median < 0.7 * error(0.0).median
    assert error(0.5).tau > error(0.0).tau


def test_few_measurements_come_close_to_costs_alone():
    rng = np.random.default_rng(5)
    x, _ = blocks(n=400, decisions=12)
    macs = x @ rng.integers(1, 50, x.shape[1])
    ms = (0.5 + 0.01 * macs) * np.exp(0.05 * rng.normal(size=400))
    features = np.column_stack([x, macs])
    fit = np.arange(400) < 16  # of 48 options
    plain = fitted_error(standard(), features, ms, fit)
    with_costs = fitted_error(standard(1), features, ms, fit)
    alone = fitted_error(standard(1), macs[:, None], ms, fit)
    assert with_costs.mape < 1.5 * alone.mape < 0.75 * plain.mape


def test_the_expectation_of_a_mixture_is_the_mean_of_its_predictions():
    x, ms = blocks()
    fitted = standard().fit(x, ms)
    share = np.random.default_rng(2).dirichlet(np.ones(len(x)))
    mixture = jnp.asarray(share @ x, jnp.float32)
    found = jax.jit(fitted.expected)(mixture)
    assert found.shape == () and found.dtype == jnp.float32
    assert float(found) == pytest.approx(share @ fitted.predict(x).mean, rel=1e-5)
    gradient = jax.grad(fitted.expected)(mixture)
    np.testing.assert_allclose(gradient, fitted.weights, rtol=1e-5, atol=1e-6)


def test_the_held_out_error_is_its_definition():
    error = held_out(np.array([1.0, 2, 4]), np.array([1.1, 2, 3]))
    assert error.mape == pytest.approx((0.1 + 0 + 0.25) / 3)
    assert (error.median, error.tau, error.n) == (pytest.approx(0.1), 1.0, 3)
    assert held_out(np.array([1.0, 2]), np.array([3.0, 3])).tau is None


def test_what_is_no_latency_is_refused():
    x, ms = blocks(n=9)
    for bad, text in ((0.0, "more than 0"), (-1.0, "more than 0"), (np.nan, "nan")):
        wrong = ms.copy()
        wrong[4] = bad
        with pytest.raises(ValueError, match=rf"values\[4\] is .*{text}|{text}"):
            standard().fit(x, wrong)
    with pytest.raises(ValueError, match="floor is 2"):
        LinearLatency(floor=2)
    with pytest.raises(ValueError, match="costs is -1"):
        LinearLatency(costs=-1)
    with pytest.raises(ValueError, match="penalties"):
        LinearLatency(penalties=(0.0,))

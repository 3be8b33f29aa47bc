"""Ridge regression and formulas against their closed forms."""

import numpy as np
import pytest

from predictors.linear_formula import FitFormula, LinearFormula
from predictors.mlp_ensemble import MLPEnsemble
from predictors.random_forest import RandomForest
from predictors.ridge_regression import Ridge


def data(seed=0, n=40, features=5):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (n, features)).astype(float)
    return x, x @ rng.normal(size=features) + 3 + 0.5 * rng.normal(size=n)


def test_ridge_is_its_normal_equations():
    x, y = data()
    fitted = Ridge(penalties=(7.0,)).fit(x, y)
    z = (x - x.mean(0)) / x.std(0)
    weights = np.linalg.solve(z.T @ z + 7 * np.eye(5), z.T @ (y - y.mean()))
    expected = z @ weights + y.mean()
    found = fitted.predict(x)
    np.testing.assert_allclose(found.mean, expected, rtol=1e-9)
    assert found.mean.dtype == np.float64
    # The deviation of the Bayesian linear model, its noise from leaving one out.
    inverse = np.linalg.inv(z.T @ z + 7 * np.eye(5))
    leverage = 1 / len(y) + np.einsum("pf,fg,pg->p", z, inverse, z)
    noise = (((y - expected) / (1 - leverage)) ** 2).mean()
    np.testing.assert_allclose(found.std, np.sqrt(noise * leverage), rtol=1e-9)


def test_the_penalty_is_the_one_that_leaves_one_out_best():
    x, y = data(seed=3, n=12)
    penalties = (0.01, 3.0, 300.0)
    z = (x - x.mean(0)) / x.std(0)

    def left_out(penalty):
        errors = []
        for i in range(len(y)):
            rest = np.arange(len(y)) != i
            centre = z[rest].mean(0)
            a = z[rest] - centre
            gram = a.T @ a + penalty * np.eye(5)
            weights = np.linalg.solve(gram, a.T @ (y[rest] - y[rest].mean()))
            errors.append((y[rest].mean() + (z[i] - centre) @ weights - y[i]) ** 2)
        return np.mean(errors)

    best = min(penalties, key=left_out)
    assert Ridge(penalties=penalties).fit(x, y).penalty == best


def test_a_feature_that_never_varies_has_no_weight():
    x, y = data()
    x[:, 2] = 4
    assert abs(Ridge().fit(x, y).weights[2]) < 1e-9


def test_a_formula_weighs_counts_and_smaller_is_better():
    formula = LinearFormula({"a": 2.0, "b": -1.0}, ("a", "none", "b"), "by hand")
    counts = np.array([[1, 5, 0], [0, 5, 3.0]])
    np.testing.assert_allclose(formula.predict(counts).mean, [-2, 3])
    with pytest.raises(ValueError, match="no feature counts c"):
        LinearFormula({"c": 1.0}, ("a", "b"), "by hand")
    with pytest.raises(ValueError, match="3 features, but 2 options"):
        LinearFormula({"a": 1.0}, ("a", "b"), "by hand").predict(counts)


def test_a_fitted_formula_finds_the_weights_that_made_the_data():
    x, _ = data()
    options = tuple("abcde")
    weights = np.array([1.0, -2, 0.5, 0, 3])
    errors = 7 - x @ weights
    formula = FitFormula(options, "made here", ranks=False).fit(x, errors)
    found = [formula.weights[option] for option in options]
    np.testing.assert_allclose(found, weights, atol=1e-9)
    assert formula.provenance == "made here"


def test_a_formula_of_ranks_heeds_no_single_failure():
    x, _ = data(n=200)
    errors = -x @ np.array([1.0, -2, 0.5, 0, 3])
    failed = errors.copy()
    failed[errors.argmax()] = 1e6
    by_ranks, by_values = (FitFormula(tuple("abcde"), "here", r) for r in (True, False))
    np.testing.assert_allclose(
        by_ranks.fit(x, failed).predict(x).mean, by_ranks.fit(x, errors).predict(x).mean
    )
    order = np.corrcoef(by_ranks.fit(x, failed).predict(x).mean, errors)[0, 1]
    assert order > 0.98
    assert np.corrcoef(by_values.fit(x, failed).predict(x).mean, errors)[0, 1] < order


@pytest.mark.parametrize(
    "predictor",
    [Ridge(), FitFormula(tuple("abcde"), "here"), RandomForest(), MLPEnsemble()],
)
def test_what_cannot_be_learned_from_is_refused(predictor):
    x, y = data()
    with pytest.raises(ValueError, match=r"\[P, F\] and \[P\]"):
        predictor.fit(x, y[:-1])
    least = predictor.LEAST
    with pytest.raises(ValueError, match=f"{least - 1} .* at least {least}"):
        predictor.fit(x[: least - 1], y[: least - 1])
    x[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"encodings\[7, 1\]"):
        predictor.fit(x, y)
    with pytest.raises(ValueError, match="penalties"):
        Ridge(penalties=(0.0,))
    with pytest.raises(ValueError, match="trees is 1"):
        RandomForest(trees=1)
    with pytest.raises(ValueError, match="members is 1"):
        MLPEnsemble(members=1)


@pytest.mark.parametrize(
    "predictor", [Ridge(), RandomForest(trees=40), MLPEnsemble(width=32, steps=200)]
)
def test_uncertainty_is_larger_where_nothing_was_measured(predictor):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (64, 2))
    y = np.sin(3 * x[:, 0]) + x[:, 1] + 0.05 * rng.normal(size=64)
    fitted = predictor.fit(x, y)
    inside, outside = fitted.predict(x), fitted.predict(x + np.array([6, 0]))
    # A tree says the same beyond the edge as at the edge.
    factor = 0.9 if isinstance(predictor, RandomForest) else 3
    assert outside.std.mean() > factor * inside.std.mean() > 0
    again = predictor.fit(x, y).predict(x)
    np.testing.assert_array_equal(again.std, inside.std)


def test_a_forest_is_the_mean_of_its_trees():
    x, y = data()
    fitted = RandomForest(trees=10, seed=3).fit(x, y)
    expected = fitted.model.predict(x)
    np.testing.assert_allclose(fitted.predict(x).mean, expected, rtol=1e-12)
    other = RandomForest(trees=10, seed=4).fit(x, y).predict(x)
    assert (other.mean != expected).any()


def test_padding_to_a_common_size_changes_nothing():
    # 17 architectures are padded to 32; the same with weight 0 are not there.
    x, y = data(n=17)
    ensemble = MLPEnsemble(width=32, steps=200)
    found = ensemble.fit(x, y).predict(x)
    assert np.abs(found.mean - y).mean() < 0.3 * np.std(y)
    twice = ensemble.fit(x, 2 * y + 5).predict(x)
    np.testing.assert_allclose(twice.mean, 2 * found.mean + 5, rtol=1e-3)
    np.testing.assert_allclose(twice.std, 2 * found.std, rtol=0.02)

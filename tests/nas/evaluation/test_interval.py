import numpy as np
import pytest
from scipy.stats import binomtest

from nas.evaluation import error_interval, wilson


@pytest.mark.parametrize(
    ("errors", "num"), [(0, 1), (1, 1), (0, 50), (3, 50), (50, 50), (1234, 10000)]
)
def test_wilson_is_scipys(errors, num):
    expected = binomtest(errors, num).proportion_ci(0.95, method="wilson")
    low, high = wilson(errors, num)
    assert low == pytest.approx(expected.low, abs=1e-6)
    assert high == pytest.approx(expected.high, abs=1e-6)
    assert 0 <= low <= errors / num <= high <= 1


@pytest.mark.parametrize(("errors", "num"), [(0, 7), (7, 7), (3, 50), (123, 1000)])
def test_one_place_an_example_is_wilson(errors, num):
    wrong = np.arange(num) < errors
    found = error_interval(wrong.mean(), wrong.var(), num, 1)
    assert found == pytest.approx(wilson(errors, num), abs=1e-12)


def test_places_that_agree_count_once_and_independent_ones_each():
    agreeing = np.repeat(np.arange(100) < 30, 20).reshape(100, 20)
    found = error_interval(0.3, agreeing.mean(1).var(), 100, 20)
    assert found == pytest.approx(wilson(30, 100))
    alike = np.tile(np.arange(20) < 6, (100, 1))
    found = error_interval(0.3, alike.mean(1).var(), 100, 20)
    assert found == pytest.approx(wilson(600, 2000))
    # Nothing is known of the spread where nothing, or everything, was wrong.
    assert error_interval(0.0, 0.0, 100, 20) == wilson(0, 100)
    assert error_interval(1.0, 0.0, 100, 20) == wilson(100, 100)


def test_it_covers_the_truth_as_often_as_it_says():
    """Windows whose tokens share a difficulty; a naive interval would be too narrow."""
    rng = np.random.default_rng(0)
    hits = naive = 0
    for _ in range(400):
        hardness = rng.beta(2, 3, 60)  # mean 0.4
        wrong = rng.binomial(30, hardness) / 30
        low, high = error_interval(wrong.mean(), wrong.var(), 60, 30)
        hits += low <= 0.4 <= high
        low, high = wilson(wrong.sum() * 30, 1800)
        naive += low <= 0.4 <= high
    assert 0.92 < hits / 400 < 0.98
    assert naive / 400 < 0.7

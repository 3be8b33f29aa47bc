"""Rank statistics against SciPy, brute force and arithmetic by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from nas.errors import UserError
from nas.ranking.correlation import (
    best_k,
    best_k_median_rank,
    correlation,
    partial_tau,
    partial_tau_of_a_copy,
    regret_at_k,
    sparse_tau,
    sparse_tau_by_position,
    spearman,
    tau_b,
    tau_better_half,
    tied_pairs,
)


def tied(seed, n=60, values=12):
    rng = np.random.default_rng(seed)
    return rng.integers(0, values, n) / 10, rng.integers(0, values, n) / 10


def test_the_same_order_is_one_and_the_reverse_is_minus_one():
    truth = np.random.default_rng(0).permutation(40) / 40
    perfect, reverse = correlation(truth, truth**3), correlation(truth, -truth)
    for name in ("tau", "spearman", "tau_better_half", "sparse_tau"):
        assert getattr(perfect, name) == pytest.approx(1), name
        assert getattr(reverse, name) == pytest.approx(-1), name
    assert perfect.sparse_tau_by_position == pytest.approx(1)
    assert reverse.sparse_tau_by_position == pytest.approx(-1)
    assert perfect.regret_at_k == 0 and perfect.best_k_median_rank == 5.5
    assert reverse.best_k_median_rank == 35.5
    assert reverse.regret_at_k == pytest.approx(30 / 40)


def test_tau_b_is_its_definition_and_scipys_with_ties():
    truth, estimate = tied(1)
    agree = of_truth = of_estimate = 0
    for a, b in itertools.combinations(range(len(truth)), 2):
        s, t = np.sign(truth[a] - truth[b]), np.sign(estimate[a] - estimate[b])
        agree, of_truth, of_estimate = (
            agree + s * t,
            of_truth + s * s,
            of_estimate + t * t,
        )
    assert tau_b(truth, estimate) == pytest.approx(
        agree / np.sqrt(of_truth * of_estimate)
    )
    assert spearman(truth, estimate) == pytest.approx(
        stats.spearmanr(truth, estimate)[0]
    )
    pairs = len(truth) * (len(truth) - 1) // 2
    assert tied_pairs(truth) == pairs - of_truth


def test_what_does_not_exist_is_none_and_not_zero():
    truth, constant = np.arange(12.0), np.ones(12)
    found = correlation(truth, constant)
    assert found.tau is None and found.spearman is None
    assert found.tau_better_half is None and found.sparse_tau is None
    assert found.ties_estimate == 66 and found.ties_truth == 0
    assert tau_b(constant, truth) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_its_index(wrong):
    values = np.arange(5.0)
    values[3] = wrong
    with pytest.raises(UserError, match=r"estimate\[3\]"):
        correlation(np.arange(5.0), values)
    with pytest.raises(UserError, match=r"truth\[3\]"):
        tau_b(values, np.arange(5.0))


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(UserError, match=r"estimate has the shape \(4,\)"):
        tau_b(np.arange(5.0), np.arange(4.0))
    with pytest.raises(UserError, match="two or more"):
        tau_b([1.0], [1.0])


def test_the_better_half_is_that_of_the_truth():
    truth = np.arange(10.0)
    estimate = np.concatenate([np.arange(5.0)[::-1], 5 + np.arange(5.0)])
    assert tau_better_half(truth, estimate) == pytest.approx(-1)
    assert tau_b(truth, estimate) > 0


def test_the_two_sparse_taus_are_what_they_say():
    # Bins of 0.1 %: 0, 0, 1, 2. The estimate exchanges the last two.
    truth, estimate = (
        np.array([0.0001, 0.0009, 0.0015, 0.0024]),
        np.array([2, 1, 4, 3.0]),
    )
    assert sparse_tau(truth, estimate) == pytest.approx(
        stats.kendalltau([0, 0, 1, 2], estimate)[0]
    )
    assert sparse_tau_by_position(truth, estimate) == pytest.approx(
        stats.kendalltau([0, 0, 1, 2], [0, 0, 2, 1])[0]
    )
    assert sparse_tau(truth, estimate) != sparse_tau_by_position(truth, estimate)
    # A decimal fraction on the edge of a bin belongs above it.
    assert sparse_tau(np.array([0.0029, 0.003]), np.array([1.0, 2.0])) == 1


def test_equal_estimates_gain_nothing_by_the_order_of_the_table():
    truth = np.arange(20.0)
    assert list(best_k(truth, np.zeros(20), 2)) == [19, 18]
    assert regret_at_k(truth, np.zeros(20), 2) == 18
    assert best_k_median_rank(truth, np.zeros(20), 2) == 19.5


def test_partial_tau_is_kendalls_formula_and_has_its_limits():
    rng = np.random.default_rng(2)
    z = rng.normal(size=200)
    x, y = z + rng.normal(size=200), z + rng.normal(size=200)
    xy, xz, yz = (stats.kendalltau(a, b)[0] for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_tau(xy, xz, yz) == pytest.approx(expected)
    assert abs(expected) < xy / 2
    assert partial_tau(0.4, 0.0, 0.0) == pytest.approx(0.4)
    assert partial_tau(0.3 * 0.5, 0.3, 0.5) == pytest.approx(0)
    for undefined in ((0.4, 0.4, 1.0), (0.4, 1.0, 0.4), (0.4, None, 0.4)):
        assert partial_tau(*undefined) is None


def test_partial_tau_is_the_four_fold_coefficient_of_pairs():
    # Kendall (1942): split pairs by whether x, and whether y, agrees with z.
    rng = np.random.default_rng(3)
    x, y, z = (rng.permutation(30) for _ in range(3))
    cells = np.zeros((2, 2))
    for a, b in itertools.combinations(range(30), 2):
        with_x = int((x[a] - x[b]) * (z[a] - z[b]) > 0)
        with_y = int((y[a] - y[b]) * (z[a] - z[b]) > 0)
        cells[with_x, with_y] += 1
    margins = np.prod(cells.sum(0)) * np.prod(cells.sum(1))
    phi = (cells[1, 1] * cells[0, 0] - cells[0, 1] * cells[1, 0]) / np.sqrt(margins)
    assert partial_tau(tau_b(x, y), tau_b(x, z), tau_b(y, z)) == pytest.approx(phi)


def test_an_estimate_independent_given_a_score_has_the_partial_tau_of_a_copy():
    rng = np.random.default_rng(5)
    z = rng.normal(size=4000)
    x, y = z + rng.normal(size=4000), z + 0.5 * rng.normal(size=4000)
    xz, yz = tau_b(x, z), tau_b(y, z)
    copied = partial_tau_of_a_copy(xz, yz)
    assert copied > 0.1
    assert partial_tau(tau_b(x, y), xz, yz) == pytest.approx(copied, abs=0.02)
    assert partial_tau_of_a_copy(0.0, 0.7) == pytest.approx(0)
    assert partial_tau_of_a_copy(0.5, 1.0) is None

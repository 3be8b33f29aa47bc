import numpy as np
import pytest
from scipy import stats

from nas.comparison.bands import band
from nas.comparison.budgets import read_budget
from nas.comparison.fronts import common_hypervolumes
from nas.comparison.intervals import student
from nas.comparison.pairing import choose_baseline, pair, unpaired


def test_interval_is_that_of_a_t_test():
    values = [0.51, 0.47, 0.6, 0.55, 0.49]
    found = student(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-12)
    assert found.n == 5 and found.mean == pytest.approx(np.mean(values))


def test_interval_holds_the_mean_as_often_as_it_says():
    drawn = np.random.default_rng(0).normal(3.0, 2.0, (2000, 5))
    found = [student(row) for row in drawn]
    share = np.mean([i.low <= 3.0 <= i.high for i in found])
    # Four standard deviations of a share of 2000.
    assert abs(share - 0.95) < 4 * (0.95 * 0.05 / 2000) ** 0.5


def test_one_value_has_no_interval_and_none_no_mean():
    assert student([2.0]) == (2.0, None, None, 1)
    for bad in ([], [1.0, float("nan")], [float("inf")]):
        with pytest.raises(ValueError):
            student(bad)


def test_pairing_is_by_seed_and_not_by_place():
    seeds = {0: 0.1, 1: 0.5, 2: 0.9}
    values = {
        "control": seeds,
        "better": {seed: value + 0.01 for seed, value in reversed(seeds.items())},
        "late": {2: 0.8, 3: 0.9},
        "absent": {},
    }
    rows = {row.variant: row for row in pair(values, "control", better=1)}
    assert list(rows) == ["control", "better", "late"]
    better = rows["better"].difference
    # The seeds differ by far more than the methods; the pairs do not.
    assert better.mean == pytest.approx(0.01) and better.low > 0
    assert rows["better"].mean.low < 0.5 < rows["better"].mean.high
    assert (rows["better"].wins, rows["better"].losses) == (3, 0)
    assert rows["late"].paired == (2,)
    assert rows["late"].difference.low is None
    assert rows["late"].mean.n == 2
    assert rows["control"].difference is None


def test_interval_of_a_difference_is_that_of_the_paired_test():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 6))
    values = {"a": dict(enumerate(a)), "b": dict(enumerate(b))}
    found = pair(values, "a", 1)[1].difference
    expected = stats.ttest_rel(b, a).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], expected)


@pytest.mark.parametrize(("better", "won"), [(1, (1, 2)), (-1, (2, 1))])
def test_wins_follow_the_direction_and_ties_are_none(better, won):
    values = {
        "control": {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0},
        "other": {0: 2.0, 1: 0.0, 2: 0.5, 3: 1.0},
    }
    row = pair(values, "control", better)[1]
    assert (row.wins, row.losses) == won
    assert row.difference.n == 4


def test_odd_seeds_are_told():
    values = {"a": {0: 1.0, 1: 1.0}, "b": {1: 1.0, 2: 1.0}, "c": {0: 1.0, 1: 1.0}}
    assert unpaired(values, "a") == [
        "b and a do not both have seeds 0, 2; their difference is over the 1 in common."
    ]
    assert unpaired({"a": {}, "b": {0: 1.0}}, "a") == []


def test_baseline_is_uniform_or_the_first():
    assert choose_baseline(["fair", "uniform"], None) == "uniform"
    assert choose_baseline(["fair", "panda"], None) == "fair"
    assert choose_baseline(["fair", "panda"], "panda") == "panda"
    with pytest.raises(ValueError, match="fair, panda"):
        choose_baseline(["fair", "panda"], "uniform")


def test_budget_that_was_logged_is_read_between_lines():
    steps = np.array([10, 20])
    found = read_budget(
        {"train/loss": (steps, np.ones(2)), "budget/examples": (steps, steps * 80.0)},
        batch_size=16,
    )
    assert found.total("steps") == 20 and found.total("examples") == 1600
    np.testing.assert_allclose(found.at("examples", np.array([5, 15])), [400, 1200])
    assert found.total("device_seconds") is None
    assert found.at("device_seconds", steps) is None


def test_budget_counts_passes_of_what_was_trained():
    steps = np.array([10, 30])
    found = read_budget(
        {"train/loss": (steps, np.ones(2)), "train/active_macs": (steps, [5.0, 7.0])},
        batch_size=4,
    )
    # 40 examples of 5, then 80 of 7, each once forward and the like of twice back.
    np.testing.assert_allclose(
        found.curves["active_macs"][1], [3 * 200, 3 * (200 + 560)]
    )
    assert read_budget({}, 4).curves == {}


def test_band_is_the_interval_at_each_point():
    at = np.array([1.0, 2.0, 3.0])
    curves = {seed: (at, np.array([0.1, 0.2, 0.3]) * (seed + 1)) for seed in range(3)}
    found = band(curves)
    np.testing.assert_allclose(found.mean, [0.2, 0.4, 0.6])
    expected = student([0.2, 0.4, 0.6])
    assert (found.low[1], found.high[1]) == pytest.approx(expected[1:3])
    assert found.seeds == 3


def test_band_of_other_points_is_read_off_where_all_are():
    long = (np.array([0.0, 10.0]), np.array([0.0, 10.0]))
    short = (np.array([2.0, 4.0, 5.0]), np.array([2.0, np.nan, 5.0]))
    found = band({0: long, 1: short})
    np.testing.assert_allclose(found.at, [2.0, 5.0])
    np.testing.assert_allclose(found.mean, [2.0, 5.0])
    assert np.isnan(band({0: long}).low).all()
    assert band({}) is None
    assert band({0: (np.array([1.0]), np.array([np.nan]))}) is None


def test_fronts_share_one_box():
    near = [{"error": 0.0, "macs": 10.0}, {"error": 1.0, "macs": 0.0}]
    far = [{"error": 0.5, "macs": 8.0}]
    both = common_hypervolumes([near, far], ("error", "macs"))
    # The box reaches from the best of each objective to a tenth beyond the worst.
    assert both[0] == pytest.approx((1.1 * 0.1 + 0.1 * 1.0) / 1.21)
    assert both[1] == pytest.approx(0.6 * 0.3 / 1.21)
    alone = common_hypervolumes([far], ("error", "macs"))
    assert alone[0] == pytest.approx(1.0)

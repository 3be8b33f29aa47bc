"""The numbers of rankings' agreement, on orders for which they are known."""

import numpy as np
import pytest

from experiments.studies.agreement import (
    best_rank,
    gt_tau,
    interference,
    s_tau,
    within,
)
from nas.errors import UserError

TRUTH = np.arange(6.0)


def test_agreement_of_instances_is_over_all_pairs():
    # The second differs from the others in one pair of fifteen, the third in all.
    swapped = np.asarray([1.0, 0, 2, 3, 4, 5])
    found = s_tau(np.stack([TRUTH, swapped, TRUTH[::-1]]))
    taus = [13 / 15, -1, -13 / 15]
    assert found == pytest.approx(
        {"mean": np.mean(taus), "least": -1, "greatest": 13 / 15}
    )


def test_a_perfect_estimate_has_tau_one_and_its_reverse_minus_one():
    estimates = np.stack([[TRUTH, TRUTH[::-1]], [2 * TRUTH + 1, -TRUTH]])
    np.testing.assert_allclose(gt_tau(estimates, TRUTH), [[1, -1], [1, -1]])


def test_an_estimate_that_tells_nothing_apart_has_no_tau():
    with pytest.raises(UserError, match="equally good"):
        gt_tau(np.zeros((1, 6)), TRUTH)


def test_the_best_rank_is_that_of_the_best_among_the_chosen():
    estimate = np.asarray([5.0, 4, 0, 1, 2, 3])  # its order: 2, 3, 4, 5, 1, 0
    assert [best_rank(TRUTH, estimate, n) for n in (1, 3, 5, 6)] == [3, 3, 2, 1]


def test_ties_do_not_favour_an_estimate():
    assert best_rank(TRUTH, np.zeros(6), 1) == 6


def test_movement_is_that_of_each_instance_over_its_last_batches():
    taus = np.asarray([[9.0, 0.1, 0.3], [9.0, 0.5, 0.9]])
    found = within(taus, 2)
    spread = (0.2 + 0.4) / 2 / np.sqrt(2)
    wanted = {"mean": 0.45, "std": spread, "least": 0.1, "greatest": 0.9}
    assert found == pytest.approx(wanted)


def test_interference_is_how_much_better_a_child_stands_right_then():
    # Child 0 is best right after its own batch, and last after the two others.
    values = np.asarray([[0.0, 1, 2], [2.0, 0, 1], [2.0, 1, 0]])
    found = interference(values, np.asarray([0, 1, 2]))
    assert found["first"] == 1
    means = np.asarray([7 / 3, 5 / 3, 2])
    assert found["ranks_gained"] == pytest.approx((means - 1).mean())
    assert interference(values[:1], np.asarray([2])) == {"ranks_gained": 0, "first": 0}

"""Rewards under preferences: ranks, worst first."""

import numpy as np
import pytest

from nas.preferences import spread
from nas.search import front_indices
from nas.search.rewards import quantiles, rewards


def test_quantiles_count_what_is_less_and_half_of_what_is_equal():
    among = np.array([[1.0], [2.0], [2.0], [4.0]])
    values = np.array([[0.0], [1.0], [2.0], [3.0], [9.0]])
    np.testing.assert_allclose(quantiles(values, among)[:, 0], [0, 0.125, 0.5, 0.75, 1])


def points(num, num_objectives, seed=0):
    return np.random.default_rng(seed).normal(size=(num, num_objectives))


def test_units_and_outliers_change_no_reward():
    objectives, none = points(30, 2), np.zeros(30)
    preferences = spread(5, 2)
    plain = rewards(objectives, none, (objectives, none), preferences)
    other = np.stack([1e9 + 1e6 * objectives[:, 0], np.exp(9 * objectives[:, 1])], 1)
    np.testing.assert_array_equal(
        plain, rewards(other, none, (other, none), preferences)
    )


@pytest.mark.parametrize("num_objectives", [1, 2, 3])
def test_what_dominates_is_worth_more_under_every_preference(num_objectives):
    objectives, none = points(40, num_objectives), np.zeros(40)
    found = rewards(objectives, none, (objectives, none), spread(10, num_objectives))
    dominates = (objectives[:, None] < objectives[None]).all(axis=2)
    assert (found[:, None] > found[None])[dominates].all()


def test_every_member_of_a_concave_front_is_the_best_for_some_preference():
    angle = np.linspace(0.02, np.pi / 2 - 0.02, 7)
    # An arc around the origin: any sum of the two is the least at one of its ends.
    front = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    objectives = np.concatenate([front, points(10, 2) ** 2 + 1])
    best = objectives[front_indices(objectives)]
    none = np.zeros(len(objectives))
    found = rewards(objectives, none, (objectives, none), spread(201, 2))
    chosen = np.unique(objectives[found.argmax(axis=0)], axis=0)
    np.testing.assert_array_equal(chosen, np.unique(best, axis=0))


def test_missing_a_constraint_is_worse_than_any_value_and_more_so_by_more():
    objectives = np.array([[9.0, 9.0], [0.0, 0.0], [0.0, 0.0]])
    violation = np.array([0.0, 0.1, 0.2])
    found = rewards(objectives, violation, (objectives, violation), spread(5, 2))
    assert (found[0] > found[1]).all()
    assert (found[1] > found[2]).all()

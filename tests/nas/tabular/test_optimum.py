"""Regret and shares of the true front, against their definitions by brute force."""

import numpy as np
import pytest

from nas.search import SearchLoop, hypervolume
from nas.tabular.optimum import Optimum, incumbents
from tests.nas.tabular.parts import ERROR, SPACE, bound, searched, table


def optimum(*objectives: str, where: tuple[str, ...] = ()) -> Optimum:
    search = searched(*objectives, where=where)
    lookup = bound(table(), search)
    loop = SearchLoop(search, SPACE, lookup.columns, lookup.evaluate, lookup.costs)
    return Optimum(lookup, loop)


def test_regret_is_of_what_the_deciding_seed_would_choose():
    order = np.array([4, 0, 2, 5, 3])
    found = optimum().regrets(order, np.ones(5, bool))
    reported = ERROR[:, 1:].mean(1)
    chosen = [4, 0, 2, 5, 5]
    np.testing.assert_allclose(found["search/regret"], reported[chosen] - 0.2)
    np.testing.assert_allclose(found["search/regret_deciding"], ERROR[chosen, 0] - 0.1)


def test_the_best_is_among_what_constraints_leave():
    free, limited = optimum(), optimum(where=("macs<=1",))
    assert (free.best, free.best_deciding) == (0, 5)
    assert (limited.best, limited.best_deciding) == (0, 1)
    assert limited.regrets(np.array([1]), np.ones(1, bool))["search/regret"] > 0


def test_nothing_is_chosen_before_anything_may_be():
    error = np.array([0.3, 0.1, 0.2, 0.2, 0.1])
    feasible = np.array([False, False, True, True, True])
    np.testing.assert_array_equal(incumbents(error, feasible), [-1, -1, 2, 2, 4])
    found = optimum().regrets(np.array([5, 4]), np.array([False, True]))
    assert np.isnan(found["search/regret"][0]) and found["search/regret"][1] > 0


def test_shares_grow_to_the_whole_of_the_true_front():
    best = optimum("error", "macs")
    points = np.stack([ERROR[:, 0], best.lookup.known["macs"]], 1)
    dominated = [
        (np.delete(points, i, 0) <= p).all(1).any() for i, p in enumerate(points)
    ]
    assert best.true_front.tolist() == np.flatnonzero(~np.array(dominated)).tolist()
    shares = best.shares(np.array([4, 1, 0, 2, 3, 5]))
    assert (np.diff(shares) >= 0).all() and shares[0] == 0
    assert shares[-1] == pytest.approx(1.0)
    scale = np.ptp(points[best.true_front], axis=0)
    corner = points[best.true_front].max(0) / scale + 0.1
    volume = [
        hypervolume(points[rows] / scale, corner) for rows in ([4, 1, 0], range(6))
    ]
    assert shares[2] == pytest.approx(volume[0] / volume[1])
    assert best.share(points[[4, 1, 0]]) == pytest.approx(shares[2])

"""Sorting, crowding, fronts and hypervolume: naive definitions, pymoo, closed forms."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pymoo.indicators.hv import HV
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from nas.search import pareto

# Few distinct values, so that ties and duplicates are common.
grids = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 4)),
    elements=st.integers(0, 4).map(float),
)


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(
        x < y for x, y in zip(a, b, strict=True)
    )


def naive_ranks(objectives: np.ndarray, violation: np.ndarray) -> list[int]:
    def better(i: int, j: int) -> bool:
        if violation[i] == 0 and violation[j] == 0:
            return dominates(objectives[i], objectives[j])
        return violation[i] < violation[j]

    ranks: dict[int, int] = {}
    left = set(range(len(objectives)))
    for level in itertools.count():
        if not left:
            return [ranks[i] for i in range(len(objectives))]
        front = {j for j in left if not any(better(i, j) for i in left)}
        ranks.update(dict.fromkeys(front, level))
        left -= front
    raise AssertionError


def naive_crowding(front: list[list[float]]) -> list[float]:
    """The paper's loop over objectives; what equals an earlier point has nothing."""
    different = sorted(set(map(tuple, front)))
    distance = dict.fromkeys(different, 0.0)
    for m in range(len(front[0])):
        line = sorted(different, key=lambda point: point[m])
        span = line[-1][m] - line[0][m]
        distance[line[0]] = distance[line[-1]] = math.inf
        for before, point, after in zip(line, line[1:], line[2:], strict=False):
            distance[point] += (after[m] - before[m]) / span if span else 0.0
    return [distance.pop(tuple(point), 0.0) for point in front]


def naive_hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Volume of a union of boxes by inclusion and exclusion."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for subset in itertools.combinations(points, size):
            sides = np.clip(reference - np.max(subset, axis=0), 0, None)
            total -= (-1) ** size * float(np.prod(sides))
    return total


@given(grids, st.data())
def test_sort_is_the_definition(objectives, data):
    violation = np.array(
        data.draw(
            st.lists(
                st.sampled_from([0.0, 0.0, 0.5, 2.0]),
                min_size=len(objectives),
                max_size=len(objectives),
            )
        )
    )
    ranks = pareto.non_dominated_sort(objectives, violation)
    assert ranks.tolist() == naive_ranks(objectives, violation)


@given(grids)
def test_front_is_rank_zero_of_the_sort_and_of_pymoo(objectives):
    ranks = pareto.non_dominated_sort(objectives)
    front = pareto.front_indices(objectives)
    assert front.tolist() == np.flatnonzero(ranks == 0).tolist()
    for rank, members in enumerate(NonDominatedSorting().do(objectives)):
        assert sorted(members) == np.flatnonzero(ranks == rank).tolist()


@given(grids, st.data())
def test_a_dominated_point_changes_no_front(objectives, data):
    row = data.draw(st.integers(0, len(objectives) - 1))
    worse = objectives[row] + 1.0
    before = pareto.front_indices(objectives)
    after = pareto.front_indices(np.vstack([objectives, worse]))
    assert before.tolist() == after.tolist()


@pytest.mark.parametrize("num_objectives", [2, 3])
def test_crowding_equals_pymoo_on_points_without_ties(num_objectives):
    points = np.random.default_rng(0).random((40, num_objectives))
    front = points[pareto.front_indices(points)]
    # pymoo divides the sum by the number of objectives, Deb et al. do not.
    expected = calc_crowding_distance(front) * num_objectives
    np.testing.assert_allclose(pareto.crowding_distance(front), expected, rtol=1e-12)


def test_crowding_by_hand_with_copies_and_by_front():
    front = np.array([[0.0, 4.0], [1.0, 2.0], [1.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
    expected = [np.inf, 3 / 4 + 3 / 4, 0.0, 3 / 4 + 2 / 4, np.inf]
    np.testing.assert_allclose(pareto.crowding_distance(front), expected)
    both = np.vstack([front + 10, front])
    ranks = pareto.non_dominated_sort(both)
    np.testing.assert_allclose(pareto.crowding_distance(both, ranks), expected * 2)
    flat = pareto.crowding_distance(np.array([[1.0, 5.0], [1.0, 5.0]]))
    assert flat.tolist() == [np.inf, 0.0]


@given(grids, st.data())
def test_crowding_of_many_fronts_is_that_of_each(objectives, data):
    size = len(objectives)
    ranks = data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    together = pareto.crowding_distance(objectives, np.array(ranks))
    for rank in set(ranks):
        front = np.flatnonzero(np.array(ranks) == rank)
        alone = naive_crowding(objectives[front].tolist())
        np.testing.assert_allclose(together[front], alone, rtol=1e-12)


def test_sorting_and_crowding_nothing_gives_nothing():
    for num_objectives in (1, 2, 3):
        nothing = np.zeros((0, num_objectives))
        assert pareto.non_dominated_sort(nothing, np.zeros(0)).shape == (0,)
        assert pareto.crowding_distance(nothing, np.zeros(0, int)).shape == (0,)


@settings(max_examples=60)
@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.integers(1, 5)),
        elements=st.integers(0, 5).map(float),
    )
)
def test_hypervolume_is_inclusion_and_exclusion(points):
    reference = np.full(points.shape[1], 4.5)  # some points lie outside
    measured = pareto.hypervolume(points, reference)
    assert measured == pytest.approx(naive_hypervolume(points, reference), abs=1e-8)


@pytest.mark.parametrize("num_objectives", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_hypervolume_equals_pymoo(num_objectives, seed):
    points = np.random.default_rng(seed).random((30, num_objectives)) * 1.2
    points = np.vstack([points, points[:5]])
    reference = np.full(num_objectives, 1.1)
    expected = HV(ref_point=reference)(points)
    assert pareto.hypervolume(points, reference) == pytest.approx(expected, rel=1e-12)


def test_hypervolume_of_five_objectives_by_monte_carlo():
    generator = np.random.default_rng(3)
    points = generator.random((12, 5)) ** 2
    darts = generator.random((200_000, 5))
    hit = np.zeros(len(darts), bool)
    for point in points:
        hit |= (point <= darts).all(axis=1)
    # Six standard errors of a proportion.
    tolerance = 6 * math.sqrt(hit.mean() * (1 - hit.mean()) / len(darts))
    assert pareto.hypervolume(points, np.ones(5)) == pytest.approx(
        hit.mean(), abs=tolerance
    )


def test_hypervolume_closed_forms():
    assert pareto.hypervolume(np.zeros((0, 2)), np.ones(2)) == 0.0
    assert pareto.hypervolume(np.array([[1.0, 0.0]]), np.ones(2)) == 0.0
    assert pareto.hypervolume(np.array([[0.25], [0.5]]), np.ones(1)) == 0.75
    # A staircase of n steps below the line x + y = 1 covers (n - 1) / 2n of the square.
    steps = np.linspace(0, 1, 11)
    stairs = np.stack([steps, 1 - steps], axis=1)
    assert pareto.hypervolume(stairs, np.ones(2)) == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pareto.front_indices(np.zeros(3)), r"\(3,\)"),
        (lambda: pareto.non_dominated_sort(np.array([[np.nan, 1.0]])), r"rows \[0\]"),
        (lambda: pareto.hypervolume(np.zeros((1, 2)), np.zeros(3)), "reference"),
    ],
)
def test_malformed_points_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_sorting_a_thousand_points_takes_milliseconds():
    points = np.random.default_rng(0).random((1000, 2))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        pareto.non_dominated_sort(points)
        times.append(time.perf_counter() - start)
    # About 1 ms on one idle core; the naive double loop takes seconds.
    assert min(times) < 0.2

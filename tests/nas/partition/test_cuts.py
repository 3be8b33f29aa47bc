"""Cuts against naive enumeration, planted groups, and published defects."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.partition import cuts


def random_distances(rng, n):
    d = rng.uniform(0, 2, (n, n))
    return np.triu(d, 1) + np.triu(d, 1).T


def naive(distances, sizes):
    """Every assignment of options to labelled groups, each sum made on its own."""
    n = len(distances)
    best = {}
    for labels in itertools.product(range(n), repeat=n):
        groups = [tuple(np.flatnonzero(np.array(labels) == g)) for g in set(labels)]
        if tuple(sorted(map(len, groups))) not in {tuple(sorted(s)) for s in sizes}:
            continue
        within = [
            distances[i, j] for g in groups for i, j in itertools.combinations(g, 2)
        ]
        key = tuple(sorted(tuple(int(i) for i in g) for g in groups))
        best[key] = (sum(within), np.mean(within) if within else 0.0)
    return best


@given(
    n=st.integers(2, 5),
    data=st.data(),
    rule=st.sampled_from(cuts.CUTS),
    seed=st.integers(0, 2**31),
)
def test_best_cut_is_the_least_of_all(n, data, rule, seed):
    groups = data.draw(st.integers(2, n))
    sizes = [cuts.even_sizes(n, groups)]
    if data.draw(st.booleans()):
        sizes.append((1,) * (n - 2) + (2,))
    distances = random_distances(np.random.default_rng(seed), n)
    listed = cuts.all_cuts(n, sizes)
    expected = naive(distances, sizes)
    assert set(listed) == set(expected)
    chosen = listed[int(cuts.best_cut(distances, listed, rule))]
    column = cuts.CUTS.index(rule)
    least = min(cost[column] for cost in expected.values())
    assert expected[chosen][column] == pytest.approx(least, abs=1e-9)


@given(n=st.integers(3, 6), seed=st.integers(0, 2**31))
def test_within_and_between_are_the_whole(n, seed):
    distances = random_distances(np.random.default_rng(seed), n)
    sums = cuts.measure(distances, cuts.all_cuts(n, [cuts.even_sizes(n, 2)]))
    whole = distances[np.triu_indices(n, 1)].sum()
    np.testing.assert_allclose(sums.within + sums.between, whole)


def test_sizes_are_even():
    assert cuts.even_sizes(5, 2) == (2, 3)
    assert cuts.even_sizes(7, 3) == (2, 2, 3)


@pytest.mark.parametrize("rule", cuts.CUTS)
@pytest.mark.parametrize("family", [(0, 1, 0, 1, 1), (0, 0, 1, 1, 1), (0, 1, 1, 0, 0)])
def test_planted_groups_are_found(rule, family):
    family = np.array(family)
    distances = 2.0 * (family[:, None] != family[None])
    listed = cuts.all_cuts(5, [(2, 3)])
    chosen = listed[int(cuts.best_cut(distances, listed, rule))]
    assert {frozenset(g) for g in chosen} == {
        frozenset(np.flatnonzero(family == f).tolist()) for f in (0, 1)
    }


def test_a_three_way_cut_does_not_always_keep_the_order_of_options():
    # Hu et al.'s code for one space added each candidate to those before it, so that
    # the first always won.
    family = np.array([0, 1, 2, 0, 1, 2])
    distances = 1.0 * (family[:, None] != family[None])
    listed = cuts.all_cuts(6, [(2, 2, 2)])
    chosen = listed[int(cuts.best_cut(distances, listed, "min_within"))]
    assert chosen == ((0, 3), (1, 4), (2, 5))


@pytest.mark.parametrize("alone", range(3))
def test_a_cut_of_three_is_compared_like_with_like(alone):
    # The code for elastic kernels compared what is within one cut with what is between
    # another's groups, and always set the last option apart.
    distances = np.full((3, 3), 0.1)
    distances[alone], distances[:, alone] = 1.5, 1.5
    listed = cuts.all_cuts(3, [(1, 2)])
    chosen = listed[int(cuts.best_cut(distances, listed, "min_within"))]
    assert (alone,) in chosen


def test_published_rules_disagree_about_the_decision():
    # One decision whose options conflict in two families, one whose options agree.
    family = np.array([0, 0, 1, 1])
    conflicted = 1.0 + 1.0 * (family[:, None] != family[None])
    benign = np.full((4, 4), 0.1)
    listed = cuts.all_cuts(4, [(2, 2)])

    def winner(rule):
        merits = [
            cuts.merit(
                cuts.measure(d, listed), cuts.best_cut(d, listed, "min_within"), rule
            )
            for d in (conflicted, benign)
        ]
        return int(np.argmax(merits))

    assert winner("max_between") == winner("max_mean_between") == 0
    assert winner("min_within") == 1


def test_undefined_pairs_count_nowhere():
    distances = np.array([[0, np.nan, 1.0], [np.nan, 0, 0.5], [1.0, 0.5, 0]])
    listed = cuts.all_cuts(3, [(1, 2)])
    sums = cuts.measure(distances, listed)
    assert np.isfinite(sums.within).all() and np.isfinite(sums.mean_between).all()
    alone = listed.index(((0, 1), (2,)))
    assert sums.within[alone] == 0
    assert sums.mean_between[alone] == 0.75


def test_no_distance_at_all_still_gives_a_cut():
    listed = cuts.all_cuts(4, [(2, 2)])
    assert cuts.best_cut(np.zeros((4, 4)), listed, "min_within") == 0
    assert cuts.best_cut(np.full((4, 4), np.nan), listed, "min_mean_within") == 0

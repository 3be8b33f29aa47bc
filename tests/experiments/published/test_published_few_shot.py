"""Published few-shot settings fit the spaces that they were published for."""

import numpy as np
import pytest

from experiments.published import few_shot
from nas.partition.base import check_steps
from search_spaces import Decision, SearchSpace
from search_spaces.mobile import PRESETS as MOBILE
from search_spaces.nasbench201 import nasbench201

STEPS = 8400


def operations(name, kinds, places):
    options = tuple(f"op{i}" for i in range(kinds))
    return SearchSpace(name, tuple(Decision(place, options) for place in places))


DARTS = operations(
    "darts", 7, [f"{c}_{i}" for c in ("normal", "reduce") for i in range(14)]
)
CASES = {
    "nasbench201": (few_shot.nasbench201(STEPS), nasbench201(), (2, 3), 4),
    "nasbench201, 16": (few_shot.nasbench201(STEPS, 4), nasbench201(), (2, 3), 16),
    "darts": (few_shot.darts(STEPS), DARTS, (3, 4), 8),
    "proxyless": (
        few_shot.proxyless(STEPS),
        operations("blocks", 6, [f"block_{i}" for i in range(21)]),
        (2, 4),
        6,
    ),
    "once for all": (
        few_shot.once_for_all(STEPS),
        MOBILE["ofa_mobilenet_v3"],
        (1, 2),
        8,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_settings_fit_their_space(name):
    partition, space, sizes, parts = CASES[name]
    check_steps(partition, STEPS)
    np.testing.assert_array_equal(partition.tables(space), space.valid[None])
    found = partition._candidates(space, space.valid, 0, 0)
    cut = partition._cuts(space.valid[found[0]], 0)
    assert sizes in {tuple(sorted(map(len, groups))) for groups in cut}
    groups = [partition._groups(i) for i in range(len(partition.at))]
    assert np.prod(groups) == parts


def test_edges_of_reduction_cells_are_left_whole():
    partition, space, *_ = CASES["darts"]
    found = partition._candidates(space, space.valid, 0, 0)
    assert [space.names[d] for d in found] == [f"normal_{i}" for i in range(14)]


def test_schedules_are_the_published_shares_of_epochs():
    assert few_shot.nasbench201(60).at == (15, 30)
    assert few_shot.darts(21).at == (2, 4, 6)
    assert few_shot.proxyless(120).at == (40, 80)
    assert few_shot.once_for_all(120).at == (30, 60, 90)


def test_the_control_splits_as_often_into_as_many_groups_of_as_many_options():
    like = few_shot.proxyless(STEPS)
    control = few_shot.random_groups(like)
    assert not control.measures
    assert (control.at, control.groups, control.sizes) == (
        like.at,
        like.groups,
        like.sizes,
    )


def test_exhaustive_gives_each_option_a_part():
    partition = few_shot.exhaustive(STEPS, "edge_0_1")
    space = nasbench201()
    assert not partition.measures
    assert partition._cuts(space.valid[0], 0) == [((0,), (1,), (2,), (3,), (4,))]

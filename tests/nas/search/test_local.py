"""Local search: one decision at a time, every neighbour once, then somewhere else."""

import jax
import numpy as np
import pytest

from nas.errors import UserError
from nas.search import LocalSearch, Problem, front_indices
from nas.search.local import _moves, _neighbour


def climb(controller, landscape, num_objectives, asks, seed=0):
    """Yield state, proposals and whether a climb began, of each ask."""
    problem = Problem(landscape.space, num_objectives)
    state = controller.init(jax.random.key(seed), problem)
    for _ in range(asks):
        before = {tuple(row) for row in state["genotypes"][: int(state["count"])]}
        state, asked = controller.ask(state, problem)
        yield before, state, asked
        points = landscape.points(asked)[:, :num_objectives]
        state = controller.tell(state, problem, asked, points, np.zeros(len(asked)))


def test_moves_are_all_neighbours(elastic):
    space = elastic.space
    moves = len(_moves(space))
    every = space.enumerate()
    for i in (0, 100, len(every) - 1):
        rows = _neighbour(space, every[i][None], np.arange(moves), moves)
        other = rows[(rows != every[i]).any(axis=1)]
        np.testing.assert_array_equal(
            np.unique(other, axis=0), space.neighbours(every[i])
        )


@pytest.mark.parametrize("num_objectives", [1, 2])
def test_proposals_are_neighbours_of_the_best_and_of_what_none_dominates(
    cells, num_objectives
):
    seen = np.zeros((0, num_objectives))
    for before, _, asked in climb(LocalSearch(), cells, num_objectives, asks=8):
        if before:
            members = np.array(sorted(before), np.int32)
            distance = (asked[:, None] != members[None]).sum(axis=2)
            assert (distance.min(axis=1) == 1).all()
            points = cells.points(members)[:, :num_objectives]
            together = np.concatenate([points, seen])
            assert set(range(len(points))) <= set(front_indices(together))
        seen = np.concatenate([seen, cells.points(asked)[:, :num_objectives]])


def test_it_climbs_to_an_optimum_then_starts_again(elastic):
    """Each climb ends where no neighbour is better, with all of them measured."""
    every = elastic.space.enumerate()
    value = dict(zip(map(bytes, every), elastic.points(every)[:, 0], strict=True))
    ends, asked_in_climb, members = [], set(), set()
    for before, state, asked in climb(LocalSearch(batch=4), elastic, 1, asks=80):
        if members and not int(state["count"]):
            (end,) = members
            around = [bytes(row) for row in elastic.space.neighbours(np.array(end))]
            assert min(value[row] for row in around) > value[bytes(np.int32(end))]
            assert set(around) <= asked_in_climb
            ends.append(end)
            asked_in_climb = set()
        asked_in_climb |= {bytes(row) for row in asked}
        members = before
        if int(state["count"]) == 0:
            members = set()
    assert len(ends) >= 3


def test_members_keep_what_was_tried(cells):
    problem = Problem(cells.space, 2)
    controller = LocalSearch()
    state = controller.init(jax.random.key(0), problem)
    state, asked = controller.ask(state, problem)
    points = np.arange(20.0).reshape(10, 2)
    state = controller.tell(state, problem, asked, points, np.zeros(10))
    assert state["count"] == 1
    assert not state["tried"].any()
    state, asked = controller.ask(state, problem)
    assert state["tried"][0].sum() == 10
    # One as good joins; what the first has tried is not forgotten.
    points = np.full((10, 2), 99.0)
    points[3] = 0, 1
    state = controller.tell(state, problem, asked, points, np.zeros(10))
    assert state["count"] == 2
    np.testing.assert_array_equal(np.sort(state["tried"].sum(axis=1))[-2:], [0, 10])


@pytest.mark.parametrize("name", ["batch", "members"])
def test_impossible_settings_are_refused(name):
    with pytest.raises(UserError, match=f"{name} is 0"):
        LocalSearch(**{name: 0})

"""Which members of a front are meant by a word."""

import dataclasses

import pytest

from nas.errors import UserError
from nas.stages.export import picked, searched_cost


@dataclasses.dataclass(frozen=True)
class Point:
    id: str
    objectives: dict[str, float]


# By MACs "b" lies farthest below the line between the ends, by parameters "c".
FRONT = [
    Point("a", {"nll": 2.0, "macs": 1e3, "params": 1e3}),
    Point("b", {"nll": 1.2, "macs": 2e3, "params": 8e4}),
    Point("c", {"nll": 1.1, "macs": 8e4, "params": 2e3}),
    Point("d", {"nll": 1.0, "macs": 1e5, "params": 1e5}),
]


@pytest.mark.parametrize(("cost", "expected"), [("macs", "b"), ("params", "c")])
def test_the_knee_is_of_the_cost_that_was_searched(cost, expected):
    assert [p.id for p in picked(FRONT, "knee", cost)] == [expected]


def test_best_all_and_an_id():
    assert [p.id for p in picked(FRONT, "best", "macs")] == ["d"]
    assert picked(FRONT, "all", "macs") == FRONT
    assert [p.id for p in picked(FRONT, "c", "macs")] == ["c"]
    with pytest.raises(UserError, match="knee"):
        picked(FRONT, "knees", "macs")


@pytest.mark.parametrize(
    ("objectives", "cost"),
    [(("nll", "params"), "params"), (("error",), "macs"), (("nll", "macs"), "macs")],
)
def test_the_cost_is_the_first_that_was_minimised(objectives, cost):
    from nas import Run
    from tests.nas.training.parts import ignore, tiny

    experiment = tiny()
    search = dataclasses.replace(experiment.search, objectives=objectives)
    run = Run(dataclasses.replace(experiment, search=search), notify=ignore)
    assert searched_cost(run) == cost

"""What is timed is a controller that goes on, on values that are worth a search."""

import numpy as np

from experiments.benchmarks.controllers import COLUMNS, Session, made_up
from nas.search import LocalSearch, front_indices
from search_spaces import Decision, SearchSpace

SPACE = SearchSpace(
    "benchmark",
    (Decision("a", (1, 2, 3)), Decision("b", (1, 2)), Decision("c", (1, 2))),
)


def test_made_up_objectives_are_at_odds():
    table = made_up(SPACE, SPACE.enumerate())
    points = np.stack([table[name] for name in COLUMNS], axis=1)
    assert np.isfinite(points).all()
    assert 1 < len(front_indices(points)) < len(points)


def test_a_session_asks_and_tells_on_and_on():
    session = Session(LocalSearch(batch=2), SPACE)
    for asks in (1, 2):
        session.turn()
        assert session.proposed == 2
        assert session.state["asks"] == asks
        assert session.state["count"] >= 1

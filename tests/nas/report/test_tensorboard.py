import dataclasses

import numpy as np
import pytest

from nas.report.tensorboard import members_table, show_options, show_search
from nas.search import RandomSearch, Search, SearchLoop
from nas.stages.front import Member

from .conftest import COLUMNS, SPACE, entry, measured


@dataclasses.dataclass
class Board:
    """Keeps what would be shown."""

    figures: list = dataclasses.field(default_factory=list)

    def figure(self, name, figure, step):
        self.figures.append((name, step, figure))


@pytest.fixture(scope="module")
def searched():
    search = Search(RandomSearch(population=2), evaluations=10)
    costs = lambda genotypes: {"macs": measured(genotypes)["macs"]}  # noqa: E731
    return SearchLoop(search, SPACE, COLUMNS, measured, costs)


def test_fronts_are_shown_ever_more_rarely_and_at_the_end(searched, key):
    board, state = Board(), searched.init(key)
    shown = []
    while not searched.done(state):
        before = len(board.figures)
        state = searched.step(state)
        show_search(board, searched, state)
        if len(board.figures) > before:
            shown.append(int(state["generation"]))
    last = int(state["generation"])
    assert shown == sorted({g for g in (1, 2, 4, 8, last) if g <= last})
    names = [name for name, _, _ in board.figures]
    assert names[-2:] == ["search/front", "search/hypervolume_by_evaluation"]
    assert names.count("search/hypervolume_by_evaluation") == 1
    assert board.figures[-1][1] == 10
    (line, *_) = board.figures[-1][2].axes[0].lines
    np.testing.assert_allclose(line.get_ydata()[-1], searched.hypervolume(state))
    assert len(line.get_ydata()) == 10


def test_the_front_that_is_shown_is_the_front(searched, key):
    board, state = Board(), searched.step(searched.init(key))
    show_search(board, searched, state)
    line, *_ = board.figures[0][2].axes[0].containers[0].lines
    archive = searched.archive(state)
    rows = searched.front(state)
    expected = {(archive.column("macs")[r], archive.column("error")[r]) for r in rows}
    assert set(map(tuple, line.get_xydata())) == expected


def test_options_are_shown_as_shares():
    board = Board()
    counts = np.array([[3, 1, 0], [0, 0, 4], [2, 1, 1]])
    show_options(board, SPACE, counts, 7)
    ((name, step, figure),) = board.figures
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert (name, step) == ("sampler/options", 7)
    assert texts[:5] == ["1  75%", "2  25%", "8  0%", "16  0%", "24  100%"]


def test_members_are_a_markdown_table():
    lines = members_table(SPACE, [Member.from_json(entry([1, 2, 1]))]).splitlines()
    assert len(lines) == 3 and len({line.count("|") for line in lines}) == 1
    for cell in ("| 1-2-1 |", "10.00 % [8.00, 12.00]", "depth 2; width 24, 16"):
        assert cell in lines[2]

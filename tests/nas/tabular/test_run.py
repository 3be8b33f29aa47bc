"""A search of the packaged table: its files, and a kill in the middle of it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from experiments.digits_625_tabular import experiment as packaged
from nas.errors import UserError
from nas.runtime.metrics import read_scalars
from nas.search import NSGA2, RandomSearch, Search
from nas.stages.searching import search_folders
from nas.tabular import TabularRun

FILES = ("archive.csv", "front.json", "metrics.jsonl", "config.json")


def small(**changes):
    search = Search(NSGA2(population=8), ("error", "macs"), 24)
    return dataclasses.replace(packaged, search=search, **changes)


def carry_out(folder: Path, fails_at: int | None = None) -> TabularRun:
    """Search in a folder; the look-up number `fails_at` does not return."""
    calls = 0
    with TabularRun(small(), folder, lambda _: None) as run:
        table = run.loop

        def evaluate(genotypes: np.ndarray) -> dict[str, np.ndarray]:
            nonlocal calls
            calls += 1
            if calls == fails_at:
                raise KeyboardInterrupt
            return table.evaluate(genotypes)

        run.__dict__["loop"] = dataclasses.replace(table, evaluate=evaluate)
        run.search()
        run.front()
    return run


@pytest.fixture
def undrawn(monkeypatch):
    """Without figures, which take most of the time."""
    monkeypatch.setattr("nas.report.tensorboard.show_search", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_killed_between_two_saves_it_ends_the_same(tmp_path):
    whole = carry_out(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path / "killed", fails_at=2)
    carry_out(tmp_path / "killed")
    for name in FILES:
        paths = [tmp_path / folder / name for folder in ("whole", "killed")]
        assert paths[0].read_bytes() == paths[1].read_bytes(), name
    rows = read_scalars(tmp_path / "whole" / "metrics.jsonl")
    steps = [row["step"] for row in rows if row["name"] == "search/regret"]
    assert steps == list(range(1, 25))
    _check_members(whole, json.loads((tmp_path / "whole/front.json").read_text()))
    # The same command finds it done; another search goes on from its archive.
    said = []
    other = dataclasses.replace(
        small(), search=Search(NSGA2(population=5), ("error", "macs"), 5)
    )
    with TabularRun(other, tmp_path / "whole", said.append) as run:
        run.search()
        assert len(run.loop.archive(run.searched[1])) == 29
        assert len(search_folders(run.workdir.checkpoints)) == 2
    for text in ("Its front covers", "29 look-ups (24 of them by", "random search"):
        assert any(text in line for line in said)


def _check_members(run, members):
    """The numbers of the front are those of the seeds that decided nothing."""
    table = run.lookup.table
    assert len(members) >= 3
    for member in members:
        row = int(run.lookup.rows(np.array([member["genotype"]], np.int32))[0])
        assert member["objectives"]["error"] == table.error[row, 1:].mean()
        assert member["objectives"]["error"] != table.error[row, 0]
        assert member["remeasured"] and isinstance(member["objectives"]["macs"], int)
        low, high = member["interval"]
        assert low < member["objectives"]["error"] < high


def test_looking_everything_up_finds_the_known_front():
    search = Search(RandomSearch(population=313), ("error", "macs"), 625)
    run = TabularRun(dataclasses.replace(packaged, search=search), None, lambda _: None)
    front = run.search()
    loop, state = run.searched
    assert int(state["evaluations"]) == 625
    best = run.optimum.true_front
    expected = {run.lookup.table.genotypes[row].tobytes() for row in best}
    assert {row.tobytes() for row in front} == expected
    found = run.optimum.histories(loop, state)
    assert found["search/regret_deciding"][-1] == 0
    assert any("100.0% of the hypervolume" in line for line in run.findings())


def test_other_settings_of_the_table_are_another_experiment(tmp_path):
    TabularRun(small(), tmp_path / "a", lambda _: None).close()
    with pytest.raises(UserError, match="decide"):
        TabularRun(small(decide=(1,)), tmp_path / "a", lambda _: None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "name is 'a/b'"),
        ({"decide": ()}, "at least one seed"),
        ({"decide": (0, 0)}, "each once"),
        ({"most": 0}, "most is 0"),
        ({"truth": "digits"}, "truth is 'digits', which is no TruthSource"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        small(**changes)

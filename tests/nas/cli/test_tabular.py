"""Searches of a packaged table from the command line."""

import json

import pytest

from nas.cli.controllers import known_controllers
from nas.search import discover

QUICK = ("--search.evaluations", "16", "--search.controller.population", "8")


def test_a_table_is_searched_without_training(nas, folder, monkeypatch):
    monkeypatch.setattr("nas.report.tensorboard.show_search", lambda *_: None)
    ended = nas("search", "digits_625_tabular", *QUICK, "--workdir", "a")
    assert ended.status == 0, ended
    for text in (
        "look-up in digits_625: 625 architectures, numbers without noise",
        "decides by seed 0; errors are reported as the mean of seeds 1 and 2",
        "After 16 look-ups the best has a regret of",
        "of the true front",
    ):
        assert text in ended.out.replace("\n", " ")
    front = json.loads((folder / "a" / "front.json").read_text())
    assert len(front) >= 3 and all(member["remeasured"] for member in front)
    page = (folder / "a" / "report.html").read_text()
    assert "table" in page and "shared weights" not in page


def test_a_profile_says_what_the_table_holds(nas):
    rows = dict(
        line.split("\t")
        for line in nas("profile", "digits_625_tabular").out.splitlines()
    )
    assert rows["table"] == "digits_625, 625 architectures"
    assert rows["objectives there are"] == "error, nll, macs, params, bytes"
    assert rows["architectures that meet the constraints"] == "625 of 625"


@pytest.mark.parametrize(
    ("argv", "messages"),
    [
        (("train",), ["nothing to train", "search, run, profile, sweep, compare"]),
        (("rank",), ["nothing to rank"]),
        (("run", "--data", "digits"), ["--data", "--truth.root DIR"]),
        (("search", "--controller", "nsga3"), ["Did you mean nsga2?", "  random  "]),
        (("search", "--search.objectives", "error,latency_ms"), ["'latency_ms'"]),
        (("search", "--controller", "darts"), ["darts", "evolution"]),
        (("search", "--into", "b"), ["--into b", "Give --workdir b"]),
        (("search", "--where", "macs<=3"), ["macs<=3", "cannot be met", "31136"]),
        (("search", "--decide", "0,1,2"), ["no seed is left to report"]),
        (("search", "--truth", "absent.npz"), ["absent.npz", "no such file"]),
    ],
)
def test_what_makes_no_sense_is_refused(refused, folder, argv, messages):
    stage, *rest = argv
    found = refused(stage, "digits_625_tabular", *rest, "--workdir", "a")
    for message in messages:
        assert message in found
    assert not (folder / "a").exists()


def test_help_says_what_each_controller_does(nas):
    known = known_controllers()
    assert known.keys() == discover().keys()
    for stage in ("run", "search", "sweep"):
        text = " ".join(nas(stage, "--help").out.split())
        for name, line in known.items():
            assert line and f" {name} {line}" in text

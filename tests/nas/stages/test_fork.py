"""Folders of their own for searches of one trained supernet."""

import dataclasses
import json

import pytest

from nas.errors import UserError
from nas.run import Run
from nas.search import RandomSearch, Search
from nas.stages.fork import fork
from nas.stages.searching import search_folders


def test_a_fork_has_the_weights_and_an_empty_archive(
    experiment, workdir, tmp_path, monkeypatch
):
    monkeypatch.setattr("nas.report.tensorboard.show_search", lambda *_: None)
    target = tmp_path / "fork"
    fork(workdir, target)
    assert not (target / "archive.csv").exists() and not search_folders(
        target / "checkpoints"
    )
    # The log is that of training, without the search of the source.
    log = (target / "metrics.jsonl").read_text().splitlines()
    names = [json.loads(line)["name"] for line in log]
    assert "train/loss" in names and not any(n.startswith("search/") for n in names)
    fork(workdir, target)
    search = Search(RandomSearch(population=2), evaluations=2)
    before = (workdir / "archive.csv").read_bytes()
    changed = dataclasses.replace(experiment, search=search)
    with Run(changed, target, notify=lambda _: None) as run:
        run.search()
        loop, state = run.searched
        assert len(loop.archive(state)) == 2
    assert (workdir / "archive.csv").read_bytes() == before


def test_a_fork_knows_the_latencies_of_its_source(tmp_path):
    source, target = tmp_path / "source", tmp_path / "fork"
    (source / "checkpoints" / "train").mkdir(parents=True)
    (source / "config.json").write_text("{}")
    fork(source, target)
    assert not (target / "latency.json").exists()
    for text in ("measured", "measured again"):
        (source / "latency.json").write_text(text)
        fork(source, target)
        assert (target / "latency.json").read_text() == "measured"


def test_folders_that_do_not_fit_are_refused(workdir, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    for source, target, message in (
        (workdir, workdir, "the trained run itself"),
        (tmp_path / "other", tmp_path / "b", "no trained weights"),
        (workdir, tmp_path / "other", "was not made from"),
    ):
        with pytest.raises(UserError, match=message):
            fork(source, target)

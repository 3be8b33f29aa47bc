"""The folder of a run: one user at a time, one experiment, whole files."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from nas.errors import UserError
from nas.runtime import workdir
from nas.runtime.workdir import Difference, StorageError, Workdir

HOLDER = """
import sys, time
from nas.runtime.workdir import Workdir
held = Workdir(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_second_process_is_refused_until_the_first_is_killed(tmp_path, holder):
    with pytest.raises(UserError, match=rf"in use by pid {holder.pid} on ") as refused:
        Workdir(tmp_path / "run")
    assert "another --workdir" in str(refused.value)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Workdir(tmp_path / "run"):
        signed = (tmp_path / "run" / ".lock").read_text()
    assert signed.startswith(f"pid {os.getpid()} on ")


def test_looking_needs_no_lock(tmp_path, holder):
    looked = Workdir(tmp_path / "run", exclusive=False)
    looked.close()
    with pytest.raises(UserError, match="in use"):
        Workdir(tmp_path / "run")


def test_looking_makes_nothing(tmp_path):
    with pytest.raises(UserError, match="no folder"):
        Workdir(tmp_path / "none", exclusive=False)
    assert not (tmp_path / "none").exists()


def test_lock_goes_with_close_and_with_the_object(tmp_path):
    first = Workdir(tmp_path)
    with pytest.raises(UserError, match=f"pid {os.getpid()}"):
        Workdir(tmp_path)
    first.close()
    second = Workdir(tmp_path)
    del second
    Workdir(tmp_path).close()


@pytest.mark.parametrize("below", ["", "/sub"])
def test_file_in_place_of_the_folder(tmp_path, below):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        Workdir(str(tmp_path / "file") + below)
    assert (tmp_path / "file").read_text() == "mine"


def test_folder_that_cannot_be_made():
    with pytest.raises(UserError, match="cannot be written"):
        Workdir("/proc/nas-cannot-be-here")


def test_contract_files(tmp_path):
    with Workdir(tmp_path) as found:
        names = [
            p.name
            for p in (
                found.config,
                found.metrics,
                found.checkpoints,
                found.archive,
                found.front,
                found.rank,
                found.report,
                found.subnets,
            )
        ]
        assert found.subnet("a1") == tmp_path / "subnets" / "a1"
        for bad in ("", "..", "a/b", "/etc"):
            with pytest.raises(UserError, match="no id of a subnet"):
                found.subnet(bad)
    assert names == [
        "config.json",
        "metrics.jsonl",
        "checkpoints",
        "archive.csv",
        "front.json",
        "rank.json",
        "report.html",
        "subnets",
    ]


CONFIG = {
    "name": "digits",
    "space": {"hash": "aa"},
    "training": {"steps": 10, "sizes": [1, 2]},
    "search": {"seed": 0},
    "searches": 1,
}


def test_same_config_leaves_the_file_alone(tmp_path):
    with Workdir(tmp_path) as run:
        assert run.write_config(CONFIG) == []
        before = run.config.stat().st_ino
        again = {**CONFIG, "training": {"sizes": (1, 2), "steps": 10}}
        assert run.write_config(again) == []
        assert run.config.stat().st_ino == before
        assert run.read_config() == CONFIG


def test_other_config_is_refused_with_every_difference(tmp_path):
    other = {
        "name": "letters",
        "space": {"hash": "bb"},
        "training": {"steps": 10, "sizes": [1, 3, 4]},
        "search": {"seed": 7},
        "extra": {},
    }
    with Workdir(tmp_path) as run:
        run.write_config(CONFIG)
        with pytest.raises(UserError) as refused:
            run.write_config(other, may_change=["search."])
        assert run.read_config() == CONFIG
    message = str(refused.value)
    for line in (
        'name: "digits" -> "letters"',
        'space.hash: "aa" -> "bb"',
        "training.sizes.1: 2 -> 3",
        "training.sizes.2: (absent) -> 4",
        "searches: 1 -> (absent)",
        "extra: (absent) -> {}",
    ):
        assert f"  {line}\n" in message
    assert "steps" not in message
    assert "search.seed" not in message
    assert "--workdir" in message
    assert "delete" in message


def test_what_may_change_is_written_anew(tmp_path):
    new = {**CONFIG, "search": {"seed": 1}}
    with Workdir(tmp_path) as run:
        run.write_config(CONFIG)
        changed = run.write_config(new, may_change=["search"])
        assert changed == [Difference("search.seed", "0", "1")]
        assert run.read_config() == new
        with pytest.raises(UserError, match="searches: 1 -> 2"):
            run.write_config({**new, "searches": 2}, may_change=["search"])


@pytest.mark.parametrize("text", ['{"name": "dig', "[1]", "\x00"])
def test_config_that_is_no_json_object(tmp_path, text):
    with Workdir(tmp_path) as run:
        run.config.write_text(text)
        with pytest.raises(UserError, match=r"config\.json"):
            run.write_config(CONFIG)
        assert run.config.read_text() == text


def test_atomic_write_is_old_or_new_for_every_reader(tmp_path):
    path = tmp_path / "archive.csv"
    texts = {letter * 200_000 for letter in "ab"}
    workdir.write_text_atomic(path, "a" * 200_000)
    torn, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            if path.read_text() not in texts:
                torn.append(True)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        workdir.write_text_atomic(path, "ab"[number % 2] * 200_000)
    done.set()
    reader.join()
    assert not torn


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "front.json"
    workdir.write_json_atomic(path, [1])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left") as refused:
        workdir.write_json_atomic(path, [2])
    assert "Free some space" in str(refused.value)
    assert json.loads(path.read_text()) == [1]
    assert os.listdir(tmp_path) == ["front.json"]


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        workdir.write_json_atomic(tmp_path / "x", float("nan"))
    assert os.listdir(tmp_path) == []


def test_new_files_are_readable_by_others(tmp_path):
    (tmp_path / "plain").write_text("")
    workdir.write_text_atomic(tmp_path / "atomic", "")
    modes = {name: (tmp_path / name).stat().st_mode for name in ("plain", "atomic")}
    assert modes["plain"] == modes["atomic"]

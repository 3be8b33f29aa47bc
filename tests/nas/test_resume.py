"""Kill a run anywhere, run it again, and find what an uninterrupted one left."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas import Run
from nas.runtime.checkpoint import Checkpoints
from nas.stages import searching as search_stage
from tests.nas.training.parts import EXTEND, ignore, logged, tiny

ROOT = Path(__file__).parents[2]
STEPS, EVALUATIONS = 60, 40

# The example's two layers, with 64 architectures to search among.
EXPERIMENT = f"""
import dataclasses
from nas.evaluation import Evaluation
from nas.runtime.mesh import MeshConfig
from nas.search import NSGA2
from tests.nas.training.parts import Blobs

experiment = Experiment(
    name="killed",
    supernet=TwoLayers(),
    data=Blobs(),
    training=Training(steps={STEPS}, batch_size=16, log_every=3, checkpoint_every=4),
    search=Search(NSGA2(population=8), evaluations={EVALUATIONS}),
    evaluation=Evaluation(batch_size=64),
    mesh=MeshConfig(data=1),
)
"""

# What is left is compared by digests, since it is many arrays.
DRIVER = """
import hashlib, json, sys
import jax, numpy as np
from nas import Run
from nas.cli.experiments import load_experiment
from nas.runtime.signals import Interrupted

file, folder = sys.argv[1:]
try:
    with Run(load_experiment(file)[0], folder) as run:
        state = run.train()
        run.search()
        run.front()
except Interrupted as stop:
    print(stop, flush=True)
    sys.exit(stop.exit_status)
leaves = jax.tree_util.tree_leaves_with_path(
    {"train": state, "search": run.searched[1]}
)
print(json.dumps({
    jax.tree_util.keystr(path): hashlib.sha256(np.asarray(leaf).tobytes()).hexdigest()
    for path, leaf in leaves
}))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    text = (EXTEND / "space.py").read_text()
    assert "WIDTHS = (8, 16, 32)" in text
    text = text.replace("WIDTHS = (8, 16, 32)", "WIDTHS = tuple(range(1, 33))")
    path = tmp_path_factory.mktemp("file") / "killed.py"
    path.write_text(text + EXPERIMENT)
    return path


def start(file, folder):
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(file), str(folder)],
        cwd=ROOT,
        env=os.environ | {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(file, folder):
    process = start(file, folder)
    try:
        out, err = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, err[-3000:]
    lines = out.splitlines()
    return json.loads(lines[-1]), lines[:-1]


def reach(process, folder, size):
    """Wait until the log of the run has so many bytes; False if it ended before."""
    metrics = folder / "metrics.jsonl"
    while process.poll() is None:
        if metrics.exists() and metrics.stat().st_size >= size:
            return True
        time.sleep(0.002)
    return False


@pytest.fixture(scope="module")
def whole(file, tmp_path_factory):
    """An uninterrupted run: its folder, and the digests of its states."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    digests, _ = finish(file, folder)
    return folder, digests


def assert_equal(folder, digests, whole):
    other, wanted = whole
    assert {n for n in wanted if digests.get(n) != wanted[n]} == set()
    assert digests.keys() == wanted.keys()
    assert logged(folder) == logged(other)
    for name in ("archive.csv", "front.json"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name


def kill_at_random(file, folder, whole, rng, kills):
    """Kill one run again and again, at rising places of its log, and finish it."""
    total = (whole[0] / "metrics.jsonl").stat().st_size
    done = 0
    for place in sorted(rng.random() for _ in range(kills)):
        process = start(file, folder)
        try:
            alive = reach(process, folder, place * total)
            # Between two lines of the log lie checkpoints, the archive, and steps.
            time.sleep(rng.random() * 0.2)
            process.kill()
            process.communicate()
            done += alive and process.returncode == -signal.SIGKILL
        finally:
            process.kill()
    digests, _ = finish(file, folder)
    assert_equal(folder, digests, whole)
    return done


def test_whole_run_is_what_it_should_be(whole):
    folder, _ = whole
    rows = [json.loads(line) for line in logged(folder)]
    steps = [r["step"] for r in rows if r["name"] == "train/loss"]
    assert steps == list(range(3, STEPS + 1, 3))
    assert len((folder / "archive.csv").read_text().splitlines()) == EVALUATIONS + 1
    assert len(json.loads((folder / "front.json").read_text())) >= 3


@pytest.mark.slow
def test_killed_at_random_places(file, whole, tmp_path):
    assert kill_at_random(file, tmp_path / "run", whole, random.Random(1), 3) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_many_random_places(file, whole, tmp_path, seed):
    assert kill_at_random(file, tmp_path / "run", whole, random.Random(seed), 4) >= 2


def test_told_to_stop_and_run_again(file, whole, tmp_path):
    folder = tmp_path / "run"
    process = start(file, folder)
    try:
        size = (whole[0] / "metrics.jsonl").stat().st_size
        assert reach(process, folder, size // 4)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=100)
    finally:
        process.kill()
    assert process.returncode == 75, err[-3000:]
    assert "Stopped by SIGTERM" in out and "same command again" in out
    digests, heard = finish(file, folder)
    assert any("Training goes on from step" in line for line in heard), heard
    assert_equal(folder, digests, whole)


# ------------------------------------------------- places that chance would not hit
SEAMS = {"archive": (search_stage, "_write_archive"), "save": (Checkpoints, "save")}


class Killed(BaseException):
    """Stands for SIGKILL inside this process."""


def finish_here(folder):
    with Run(tiny(), folder, notify=ignore) as run:
        run.train()
        run.search()
        run.front()


def before(patch, seam, act):
    """Call `act` with 1, 2, .. before each call of a function."""
    owner, name = SEAMS[seam]
    real = getattr(owner, name)
    calls = itertools.count(1)

    def watched(*args, **kwargs):
        act(next(calls))
        return real(*args, **kwargs)

    patch.setattr(owner, name, watched)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An uninterrupted run, and how often each function was called."""
    folder = tmp_path_factory.mktemp("small")
    calls = {seam: [] for seam in SEAMS}
    with pytest.MonkeyPatch.context() as patch:
        for seam, seen in calls.items():
            before(patch, seam, seen.append)
        finish_here(folder)
    return folder, {seam: seen[-1] for seam, seen in calls.items()}


@pytest.mark.parametrize(
    ("seam", "call"),
    [
        ("archive", 1),
        ("archive", 0),  # the last one, after the last checkpoint
        ("save", 3),  # the last of training
        ("save", 4),  # the first of the search
        ("save", 0),
    ],
)
def test_killed_at_a_seam(small, tmp_path, seam, call):
    whole, totals = small
    assert totals["save"] == totals["archive"] + 3
    at = call or totals[seam]

    def die(number):
        if number == at:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        before(patch, seam, die)
        with Run(tiny(), tmp_path, notify=ignore) as run, pytest.raises(Killed):
            run.train()
            run.search()
    finish_here(tmp_path)
    for name in ("archive.csv", "front.json"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name
    assert logged(tmp_path) == logged(whole)

"""Faults while a checkpoint is saved: the process is killed, the disk fills."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from nas.runtime.checkpoint import CheckpointError, Checkpoints

SAVING = """
import sys
import numpy as np
from nas.runtime.checkpoint import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
for step in range(1, 10_000):
    checkpoints.save(step, {"w": np.full(20_000, step)}, {"step": step})
    print(step, flush=True)
"""


@pytest.mark.parametrize("wait_seconds", [0.01, 0.03, 0.05])
def test_killed_while_saving(tmp_path, wait_seconds):
    folder = tmp_path / "train"
    process = subprocess.Popen(
        [sys.executable, "-c", SAVING, folder], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    time.sleep(wait_seconds)
    process.kill()
    last = int((process.stdout.read() or "3").split()[-1])
    process.wait()
    process.stdout.close()
    heard = []
    checkpoints = Checkpoints(folder, warn=heard.append)
    step, found, metadata = checkpoints.restore_latest({"w": np.zeros(20_000, int)})
    assert step in (last, last + 1)
    assert metadata == {"step": step}
    assert (found["w"] == step).all()
    assert heard == []
    checkpoints.save(step + 1, found, {})
    checkpoints.close()


FULL_DISK = """
import resource, signal, sys
import numpy as np
from nas.runtime.checkpoint import CheckpointError, Checkpoints
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rng = np.random.default_rng(0)
state = {"w": rng.integers(0, 2**60, 100_000)}
checkpoints = Checkpoints(sys.argv[1])
checkpoints.save(1, state, {})
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
try:
    checkpoints.save(2, {"w": rng.integers(0, 2**60, 100_000)}, {})
    sys.exit("saved")
except CheckpointError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
step, found, _ = checkpoints.restore_latest(state)
assert step == 1 and np.array_equal(found["w"], state["w"])
checkpoints.save(3, state, {})
assert checkpoints.steps() == [1, 3], checkpoints.steps()
"""


def test_disk_that_fills_while_saving(tmp_path):
    """A limit on the size of files fails inside the writes, as a full disk does."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "train")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "step 2 could not be saved" in done.stdout
    assert "the disk is full" in done.stdout
    assert "Older checkpoints are intact" in done.stdout
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path / "train")) == ["1", "1.sums", "3", "3.sums"]


def test_refusal_of_the_system_is_one_clear_error(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path / "train")
    checkpoints.save(1, {"a": np.ones(2)}, {})

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints._open(), "save", full)
    with pytest.raises(CheckpointError, match="the disk is full"):
        checkpoints.save(2, {"a": np.ones(2)}, {})
    assert checkpoints.steps() == [1]
    checkpoints.close()

"""Two processes as one program: shared checkpoints, errors and stops."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from nas.errors import UserError
from nas.runtime import processes
from nas.runtime.checkpoint import Checkpoints

ALL = {"NAS_COORDINATOR": "h:1", "NAS_NUM_PROCESSES": "2", "NAS_PROCESS_ID": "0"}


def test_one_process_is_the_default():
    assert processes.initialize_distributed(environ={}) is False
    assert (processes.index(), processes.count()) == (0, 1)
    assert processes.gather(True) == [True]


@pytest.mark.parametrize("missing", list(ALL))
def test_all_three_or_none(missing):
    environ = {name: value for name, value in ALL.items() if name != missing}
    with pytest.raises(UserError, match=f"missing: {missing}"):
        processes.initialize_distributed(environ=environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [("NAS_NUM_PROCESSES", "two"), ("NAS_PROCESS_ID", "2"), ("NAS_PROCESS_ID", "-1")],
)
def test_values_out_of_range(name, value):
    with pytest.raises(UserError, match=f"{name} is "):
        processes.initialize_distributed(environ=ALL | {name: value})


def test_too_late_is_a_user_error():
    np.asarray(__import__("jax").numpy.ones(1))
    with pytest.raises(UserError, match="before this call"):
        processes.initialize_distributed("127.0.0.1:1", 1, 0, environ={})


def test_agree_raises_what_it_is_given():
    processes.agree(None, "Opening")
    with pytest.raises(UserError, match="mine"):
        processes.agree(UserError("mine"), "Opening")


PAIR = """
import os, signal, sys
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from nas.errors import UserError
from nas.runtime import mesh as meshes, processes
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.metrics import MetricsWriter
from nas.runtime.signals import StopSignals
from nas.runtime.workdir import Workdir

folder, held = sys.argv[1:]
jax.config.update("jax_num_cpu_devices", 2)
assert processes.initialize_distributed()
me = processes.index()

try:
    Workdir(held)
    raise SystemExit("not refused")
except UserError as error:
    assert ("in use" if me == 0 else "failed on process 0") in str(error), error

mesh = meshes.make_mesh()
assert mesh.shape["data"] == 4
split = NamedSharding(mesh, PartitionSpec("data"))
rows = np.arange(32, dtype=np.float32).reshape(8, 4) / 7
state = {
    "rows": meshes.put(rows, split),
    "whole": meshes.put(rows[0], meshes.replicated(mesh)),
    "local": jax.numpy.ones(3),
    "host": np.arange(3),
}
mine = meshes.put_local(rows[4 * me : 4 * me + 4], split)
for x in (state["rows"], mine):
    assert np.array_equal(meshes.host(x), rows)

with Workdir(folder) as run:
    run.write_config({"name": "a"})
    try:
        run.write_config({"name": "b"})
        raise SystemExit("not refused")
    except UserError as error:
        assert ("name" if me == 0 else "failed on process 0") in str(error), error
    with MetricsWriter(run) as writer:
        writer.scalars(0, {"train/loss": 1.0})
        offset = writer.offset()
    checkpoints = Checkpoints(run.checkpoints, warn=print)
    for step in (1, 2):
        checkpoints.save(step, state, {"offset": offset, "step": step})
    step, found, _ = checkpoints.restore_latest(state)
    assert step == 2 and found["rows"].sharding == split
    for name, value in meshes.host(state).items():
        assert np.array_equal(meshes.host(found)[name], value), name
    processes.barrier("before damage")
    if me == 0:
        os.truncate(next((run.checkpoints / "2" / "state" / "d").iterdir()), 3)
    processes.barrier("damaged")
    assert checkpoints.restore_latest(state)[0] == 1

    with StopSignals() as stop:
        if me == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.agreed()
        assert stop.requested == (me == 1)
print("done", me)
"""


def test_two_processes_save_and_one_reads(tmp_path):
    from nas.runtime.workdir import Workdir

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    held = Workdir(tmp_path / "held")
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", PAIR, tmp_path / "run", tmp_path / "held"],
            env=os.environ
            | {"NAS_COORDINATOR": address, "NAS_NUM_PROCESSES": "2"}
            | {"NAS_PROCESS_ID": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=120) for process in pair]
    finally:
        for process in pair:
            process.kill()
        held.close()
    for number, (process, (out, err)) in enumerate(zip(pair, outputs, strict=True)):
        assert process.returncode == 0, err
        assert f"done {number}" in out
        assert "Going on from step 1" in out

    run = tmp_path / "run"
    assert (run / "metrics.jsonl").read_text().count("\n") == 1
    assert len(list(run.glob("events*"))) == 1
    rows = np.arange(32, dtype=np.float32).reshape(8, 4) / 7
    template = {
        "rows": np.zeros((8, 4), np.float32),
        "whole": np.zeros(4, np.float32),
        "local": np.zeros(3, np.float32),
        "host": np.zeros(3, int),
    }
    heard = []
    checkpoints = Checkpoints(run / "checkpoints", warn=heard.append)
    step, found, metadata = checkpoints.restore_latest(template)
    checkpoints.close()
    assert (step, metadata["step"]) == (1, 1)
    assert len(heard) == 1
    assert found["rows"].tobytes() == rows.tobytes()
    assert found["whole"].tobytes() == rows[0].tobytes()

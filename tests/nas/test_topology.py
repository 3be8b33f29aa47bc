"""One device, eight, or two processes: the same training, the same numbers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from nas import Run, Training
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.mesh import MeshConfig, host
from nas.runtime.metrics import read_scalars
from nas.runtime.signals import Interrupted
from tests.nas.training.parts import ignore, stop_at, tiny, two_edges

ROOT = Path(__file__).parents[2]
TRAINING = Training(steps=8, batch_size=16, log_every=1, checkpoint_every=3)
ONE, EIGHT = MeshConfig(data=1), MeshConfig(data=8)
SPLIT = MeshConfig(data=4, model=2)
# The first is 64 x 32 and the second 32 x 3, both behind the sub-supernets' axis.
RULES = (("hidden/kernel", (None, "model")), ("classifier/kernel", ("model",)))


def cells(**changes):
    """Batch norms: their statistics must be those of the whole batch."""
    return tiny(supernet=two_edges(), training=TRAINING, **changes)


def losses(folder):
    rows = read_scalars(folder / "metrics.jsonl")
    return [r["value"] for r in rows if r["name"] == "train/loss"]


def measure(run, state):
    genotypes = run.supernet.space.enumerate()[::3]
    values = run.evaluator.evaluate(
        state["params"], state["allowed"], genotypes, run.on_device("search")
    )
    return np.stack([values["nll"], values["error"]])


def close(a, b, tolerance=1e-4):
    for x, y in zip(*map(jax.tree.leaves, (host(a), host(b))), strict=True):
        assert np.abs(x - y).max() <= tolerance * max(np.abs(y).max(), 1e-3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """`{devices: (folder, state, measured)}`."""
    found = {}
    for name, mesh in (("one", ONE), ("eight", EIGHT)):
        folder = tmp_path_factory.mktemp(name)
        with Run(cells(mesh=mesh), folder, notify=ignore) as run:
            state = run.train()
            found[name] = (folder, state, measure(run, state))
    return found


def test_eight_devices_train_as_one_does(trained):
    (one, a, measured), (eight, b, again) = trained["one"], trained["eight"]
    assert len(b["params"]["classifier"]["kernel"].sharding.device_set) == 8
    np.testing.assert_allclose(losses(eight), losses(one), rtol=1e-4)
    assert len(losses(one)) == 8 and len(set(losses(one))) == 8
    close(b["params"], a["params"])
    assert host(a["counts"]).tolist() == host(b["counts"]).tolist()
    np.testing.assert_allclose(again[0], measured[0], rtol=1e-4)
    # An error counts images: none may change sides, or one by a rounding.
    assert np.abs(again[1] - measured[1]).max() <= 1 / 48 + 1e-9


def test_evaluation_is_the_same_on_eight_devices(trained):
    _, state, measured = trained["one"]
    run = Run(cells(mesh=EIGHT), notify=ignore)
    again = measure(run, jax.tree.map(np.asarray, state))
    np.testing.assert_allclose(again[0], measured[0], rtol=1e-5)
    np.testing.assert_allclose(again[1], measured[1], atol=1e-7)


@pytest.mark.parametrize(
    ("before", "after"),
    [(EIGHT, ONE), pytest.param(ONE, EIGHT, marks=pytest.mark.slow)],
)
def test_checkpoint_goes_on_with_other_devices(
    trained, monkeypatch, tmp_path, before, after
):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 4)
        with (
            Run(cells(mesh=before), tmp_path, notify=ignore) as run,
            pytest.raises(Interrupted),
        ):
            run.train()
    heard = []
    with Run(cells(mesh=after), tmp_path, notify=heard.append) as run:
        state = run.train()
    assert any("goes on from step 4" in message for message in heard)
    assert any("mesh.data" in message for message in heard)
    devices = len(state["params"]["classifier"]["kernel"].sharding.device_set)
    assert devices == after.data
    one, wanted, _ = trained["one"]
    np.testing.assert_allclose(losses(tmp_path), losses(one), rtol=1e-4)
    close(state["params"], wanted["params"])


def test_weights_may_be_split(tmp_path):
    found = []
    for name, changes in (
        ("whole", {"mesh": ONE}),
        ("split", {"mesh": SPLIT, "sharding": RULES}),
    ):
        with Run(
            tiny(training=TRAINING, **changes), tmp_path / name, notify=ignore
        ) as run:
            state = run.train()
            found.append((state, measure(run, state), losses(tmp_path / name)))
    (whole, measured, straight), (split, again, other) = found
    kernel = split["params"]["hidden"]["kernel"]
    assert kernel.sharding.spec == PartitionSpec(None, None, "model")
    assert kernel.addressable_shards[0].data.shape == (1, 64, 16)
    trace = split["opt_state"][1][1][0].trace["classifier"]["kernel"]
    assert trace.sharding.spec == PartitionSpec(None, "model")
    np.testing.assert_allclose(other, straight, rtol=1e-4)
    close(split["params"], whole["params"])
    np.testing.assert_allclose(again[0], measured[0], rtol=1e-4)


# -------------------------------------------------------------------- two processes
DRIVER = """
import sys
from nas.runtime.processes import initialize_distributed
initialize_distributed()
import json
from nas import Run, Training
from nas.runtime.mesh import MeshConfig
from tests.nas.training import parts
folder, steps, supernet = sys.argv[1], int(sys.argv[2]), sys.argv[3]
training = Training(steps=steps, batch_size=16, log_every=1, checkpoint_every=3)
supernet = getattr(parts, supernet)()
experiment = parts.tiny(supernet=supernet, training=training, mesh=MeshConfig())
with Run(experiment, folder) as run:
    run.train()
    run.search()
    members = run.front()
print(json.dumps([[m.id, m.objectives] for m in members]))
"""


def start_pair(folder, steps, supernet, heartbeat=100):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    return [
        subprocess.Popen(
            [sys.executable, "-c", DRIVER, folder, str(steps), supernet],
            env=os.environ
            | {"NAS_COORDINATOR": address, "NAS_NUM_PROCESSES": "2"}
            | {"NAS_PROCESS_ID": str(number), "NAS_HEARTBEAT_SECONDS": str(heartbeat)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]


def finish(pair, seconds=200):
    try:
        outputs = [process.communicate(timeout=seconds) for process in pair]
    finally:
        for process in pair:
            process.kill()
    ends = [process.returncode for process in pair]
    assert ends == [0, 0], "\n-----\n".join(err[-3000:] for _, err in outputs)
    return [json.loads(out.splitlines()[-1]) for out, _ in outputs]


def front_of(run):
    return [[m.id, m.objectives] for m in run.front()]


def same_front(found, wanted):
    assert [i for i, _ in found] == [i for i, _ in wanted]
    for (_, a), (_, b) in zip(found, wanted, strict=True):
        assert a["macs"] == b["macs"]
        assert a["nll"] == pytest.approx(b["nll"], rel=1e-4)


@pytest.mark.slow
def test_two_processes_train_search_and_measure_as_one_does(trained, tmp_path):
    first, second = finish(start_pair(tmp_path, TRAINING.steps, "two_edges"))
    one, state, _ = trained["one"]
    run = Run(cells(mesh=ONE), notify=ignore)
    run.state = state
    run.search()
    same_front(first, front_of(run))
    assert first == second
    np.testing.assert_allclose(losses(tmp_path), losses(one), rtol=1e-4)
    assert len(list(tmp_path.glob("events*"))) == 1
    steps = Checkpoints(tmp_path / "checkpoints" / "train")
    _, found, _ = steps.restore_latest(jax.tree.map(np.asarray, host(state)))
    steps.close()
    close(found["params"], state["params"])


@pytest.mark.slow
def test_one_of_two_processes_dies_and_both_are_started_again(tmp_path):
    steps = 150
    whole = tmp_path / "whole"
    wanted = finish(start_pair(whole, steps, "two_layers"))[0]
    folder = tmp_path / "broken"
    pair = start_pair(folder, steps, "two_layers", heartbeat=10)
    deadline = time.monotonic() + 120
    try:
        while not list((folder / "checkpoints" / "train").glob("[3-9]?")):
            assert time.monotonic() < deadline
            assert pair[0].poll() is None, pair[0].communicate()[1]
            time.sleep(0.02)
        pair[1].send_signal(signal.SIGKILL)
        # The other cannot go on, and must not wait for ever.
        assert pair[0].wait(timeout=120) != 0
    finally:
        for process in pair:
            process.kill()
            process.communicate()
    assert 0 < len(losses(folder)) < steps
    assert finish(start_pair(folder, steps, "two_layers"))[0] == wanted
    assert (folder / "archive.csv").read_bytes() == (whole / "archive.csv").read_bytes()
    assert losses(folder) == losses(whole)

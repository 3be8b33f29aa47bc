"""The log of a run: cut and continued, it equals that of a run that never stopped."""

import glob
import json
import math
import os

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from nas.errors import UserError
from nas.runtime.metrics import CLOCK, SCALARS, MetricsWriter, read_scalars
from nas.runtime.workdir import StorageError, Workdir


@pytest.fixture
def run(tmp_path):
    with Workdir(tmp_path) as found:
        yield found


def log(writer, steps):
    for step in steps:
        values = {"train/loss": 1 / (step + 1), "sampler/edge 0-1/conv_3x3": 0.25}
        writer.scalars(step, values)


def events(folder):
    """Read every event of a folder, without TensorBoard."""
    found = []
    for path in sorted(glob.glob(f"{folder}/events.out.tfevents.*")):
        with open(path, "rb") as file:
            data = file.read()
        while data:
            size = int.from_bytes(data[:8], "little")
            found.append(Event.FromString(data[12 : 12 + size]))
            data = data[16 + size :]
    return found


def test_cut_and_continued_equals_uninterrupted(tmp_path):
    with Workdir(tmp_path / "whole") as whole, MetricsWriter(whole) as writer:
        log(writer, range(6))
    with Workdir(tmp_path / "killed") as killed:
        with MetricsWriter(killed) as writer:
            log(writer, range(3))
            offset = writer.offset()
            log(writer, range(3, 5))
        with open(killed.metrics, "ab") as file:
            file.write(b'{"step": 5, "na')
        with MetricsWriter(killed, offset=offset, next_step=3) as writer:
            log(writer, range(3, 6))
        assert killed.metrics.read_bytes() == whole.metrics.read_bytes()
    restarts = [e for e in events(killed.path) if e.session_log.status == 1]
    assert [e.step for e in restarts] == [3]


def test_lines_survive_without_close(run):
    writer = MetricsWriter(run)
    log(writer, range(1))
    lines = run.metrics.read_text().splitlines()
    writer.close()
    assert json.loads(lines[0]) == {"step": 0, "name": "train/loss", "value": 1.0}
    assert len(lines) == 2


def test_offset_none_appends(run):
    for step in range(2):
        with MetricsWriter(run) as writer:
            log(writer, [step])
    assert [row["step"] for row in read_scalars(run.metrics)] == [0, 0, 1, 1]


@pytest.mark.parametrize("offset", [1, 10**6, -1])
def test_offset_that_is_no_end_of_a_line(run, offset):
    with MetricsWriter(run) as writer:
        log(writer, range(2))
    before = run.metrics.read_bytes()
    with pytest.raises(UserError, match=r"metrics\.jsonl is not the file"):
        MetricsWriter(run, offset=offset)
    assert run.metrics.read_bytes() == before


def test_offset_zero_starts_anew(run):
    with MetricsWriter(run) as writer:
        log(writer, range(2))
    with MetricsWriter(run, offset=0) as writer:
        assert writer.offset() == 0


def test_not_finite_is_valid_json_and_comes_back(run):
    values = [math.nan, math.inf, -math.inf, 0.1]
    with MetricsWriter(run) as writer:
        for step, value in enumerate(values):
            writer.scalars(step, {"train/loss": value})

    def refuse(name: str) -> float:
        raise AssertionError(name)

    for line in run.metrics.read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    np.testing.assert_array_equal(
        [r["value"] for r in read_scalars(run.metrics)], values
    )


def test_float32_comes_back_with_its_bits(run):
    value = np.float32(1) / np.float32(3)
    with MetricsWriter(run) as writer:
        writer.scalars(0, {"train/loss": value})
    assert np.float32(read_scalars(run.metrics)[0]["value"]) == value


@pytest.mark.parametrize("name", ["train/los", "loss", "sampler/x", "Train/loss"])
def test_undocumented_name_is_refused_and_nothing_written(run, name):
    with MetricsWriter(run) as writer:
        with pytest.raises(UserError, match="no documented name"):
            writer.scalars(0, {"train/loss": 1.0, name: 1.0})
        assert writer.offset() == 0


def test_near_name_is_suggested(run):
    with MetricsWriter(run) as writer, pytest.raises(UserError, match="train/loss"):
        writer.scalars(0, {"train/los": 1.0})


def test_every_documented_name_is_allowed(run):
    with MetricsWriter(run) as writer:
        for name in SCALARS:
            writer.scalars(0, {name.replace("<", "a ").replace(">", "/b"): 0.0})
    assert len(read_scalars(run.metrics)) == len(SCALARS)
    assert {"train/examples_per_second", "train/steps_per_second"} <= CLOCK


def test_tensorboard_has_the_same_scalars_texts_and_figures(run):
    from matplotlib.figure import Figure

    with MetricsWriter(run, run="search") as writer:
        log(writer, range(2))
        writer.text("architectures", "| a |", 1)
        writer.figure("front", Figure(figsize=(1, 1), dpi=20), 1)
    assert glob.glob(f"{run.path}/events*") == []
    values = [v for e in events(run.path / "search") for v in e.summary.value]
    scalars = [(v.tag, v.simple_value) for v in values if v.HasField("simple_value")]
    rows = read_scalars(run.metrics)
    # TensorBoard has no blanks in names.
    expected = [(r["name"].replace(" ", "_"), np.float32(r["value"])) for r in rows]
    assert scalars == expected
    assert [v.image.width for v in values if v.HasField("image")] == [20]
    assert any("architectures" in v.tag for v in values)


def test_full_disk_leaves_whole_lines(run, monkeypatch):
    with MetricsWriter(run) as writer:
        log(writer, range(1))
        whole = run.metrics.read_bytes()

        class Full:
            def __init__(self, file):
                self._file = file

            def __getattr__(self, name):
                return getattr(self._file, name)

            def write(self, data):
                self._file.write(data[:5])
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(writer, "_file", Full(writer._file))
        with pytest.raises(StorageError, match="No space left"):
            log(writer, [1])
        monkeypatch.undo()
    assert run.metrics.read_bytes() == whole


@pytest.mark.parametrize("line", ["{", "[]", '{"step": 1}', '{"step":0,"name":"a"}'])
def test_reading_says_which_line_is_bad(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 0, "name": "train/loss", "value": 1}\n' + line + os.linesep
    )
    with pytest.raises(UserError, match="line 2"):
        read_scalars(path)

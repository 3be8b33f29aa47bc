"""States come back bit for bit, on any layout, and damage is found and survived."""

import os
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from nas.errors import UserError
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.mesh import MeshConfig, host, make_mesh, put, replicated


class Strategy(NamedTuple):
    key: jax.Array
    seen: np.ndarray
    nothing: None = None


def make_state(seed=0):
    """Return a state with every kind of leaf: float bits, integers, empty, scalar."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, (64, 3), dtype=np.uint32)
    params = {"stem": {"w": jnp.asarray(bits.view(np.float32))}, "empty": {}}
    return {
        "params": params,
        "half": jnp.arange(5, dtype=jnp.bfloat16) / 3,
        "optimizer": optax.adamw(0.1).init({"w": jnp.ones((2, 2))}),
        "strategy": Strategy(
            key=jax.random.key_data(jax.random.key(seed)),
            seen=rng.integers(0, 2**60, 7),
        ),
        "archive": [np.zeros((0, 6), np.int32), np.array(True), np.float64(0.1)],
    }


def assert_bits_equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.fixture
def heard():
    return []


@pytest.fixture
def checkpoints(tmp_path, heard):
    found = Checkpoints(tmp_path / "train", warn=heard.append)
    yield found
    found.close()


def reopen(checkpoints, heard=None):
    checkpoints.close()
    heard = [] if heard is None else heard
    return Checkpoints(checkpoints._directory, warn=heard.append)


def data_files(folder):
    return [p for p in Path(folder).rglob("*") if p.is_file() and p.stat().st_size]


def test_nothing_saved_is_none_and_makes_no_folder(tmp_path):
    checkpoints = Checkpoints(tmp_path / "train")
    assert checkpoints.restore_latest(make_state()) is None
    assert checkpoints.steps() == []
    assert os.listdir(tmp_path) == []


def test_state_and_metadata_come_back_bit_for_bit(checkpoints, heard):
    state, metadata = make_state(), {"offset": 10**12, "deep": {"a": [0.1, None]}}
    checkpoints.save(7, state, metadata)
    step, found, kept = reopen(checkpoints).restore_latest(make_state(1))
    assert (step, kept) == (7, metadata)
    assert_bits_equal(found, state)
    kinds = [isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(found)]
    assert kinds == [isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state)]
    assert heard == []


def test_only_numpy(checkpoints):
    state = {"population": np.arange(6, dtype=np.int32).reshape(2, 3), "count": 3}
    checkpoints.save(0, state, {})
    _, found, _ = checkpoints.restore_latest(state)
    assert type(found["population"]) is np.ndarray
    np.testing.assert_array_equal(found["population"], state["population"])
    assert found["count"] == 3


def test_only_empty(checkpoints):
    checkpoints.save(0, {"a": np.zeros((0, 2))}, {"x": 1})
    step, found, metadata = checkpoints.restore_latest({"a": np.zeros((0, 2))})
    assert (step, metadata, found["a"].shape) == (0, {"x": 1}, (0, 2))


def test_restored_state_does_not_compile_the_step_anew(checkpoints):
    state = {
        "w": jnp.ones(3),
        "n": put(np.ones(2, np.float32), replicated(make_mesh())),
    }
    step = jax.jit(lambda s: jax.tree.map(lambda x: x * 2, s))
    step(state)
    checkpoints.save(0, state, {})
    _, found, _ = checkpoints.restore_latest(state)
    step(found)
    assert step._cache_size() == 1


def test_keeps_the_last_two(checkpoints):
    for step in (1, 5, 6):
        checkpoints.save(step, {"a": np.full(2, step)}, {})
    assert checkpoints.steps() == [5, 6]
    names = sorted(os.listdir(checkpoints._directory))
    assert names == ["5", "5.sums", "6", "6.sums"]
    assert reopen(checkpoints).steps() == [5, 6]


def test_saved_step_stays_and_earlier_step_is_refused(checkpoints):
    checkpoints.save(5, {"a": np.full(2, 1)}, {})
    checkpoints.save(5, {"a": np.full(2, 2)}, {})
    assert checkpoints.restore_latest({"a": np.zeros(2, int)})[1]["a"].tolist() == [
        1,
        1,
    ]
    with pytest.raises(ValueError, match="step 4 comes after step 5"):
        checkpoints.save(4, {"a": np.full(2, 2)}, {})


def test_clear_starts_anew(checkpoints):
    checkpoints.save(5, {"a": np.ones(2)}, {})
    checkpoints.clear()
    assert checkpoints.restore_latest({"a": np.ones(2)}) is None
    checkpoints.save(1, {"a": np.ones(2)}, {})
    assert checkpoints.steps() == [1]


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def flip(path):
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), 7):
        data[place] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("item", ["state", "index"])
@pytest.mark.parametrize("damage", [truncate, empty, flip, os.unlink, "folder"])
def test_damaged_newest_falls_back_and_says_so(checkpoints, tmp_path, item, damage):
    for step in (1, 2):
        checkpoints.save(step, make_state(step), {"step": step})
    newest = tmp_path / "train" / "2" / item
    if damage == "folder":
        shutil.rmtree(newest)
    else:
        for path in data_files(newest):
            damage(path)
    heard = []
    again = reopen(checkpoints, heard)
    step, found, metadata = again.restore_latest(make_state())
    assert (step, metadata) == (1, {"step": 1})
    assert_bits_equal(found, make_state(1))
    assert len(heard) == 1
    assert "step 2" in heard[0]
    assert "Going on from step 1" in heard[0]
    # The run goes on over the damaged step, which does not count among those kept.
    again.save(2, make_state(9), {})
    step, found, _ = reopen(again).restore_latest(make_state())
    assert step == 2
    assert_bits_equal(found, make_state(9))
    again.save(3, make_state(3), {})
    assert reopen(again).steps() == [2, 3]


def test_every_single_damaged_file_is_found(checkpoints, tmp_path):
    for step in (1, 2):
        checkpoints.save(step, make_state(step), {})
    checkpoints.close()
    newest = tmp_path / "train" / "2"
    shutil.copytree(newest, tmp_path / "copy")
    files = data_files(newest)
    assert len(files) > 5
    for path in files:
        flip(path)
        heard = []
        again = Checkpoints(tmp_path / "train", warn=heard.append)
        assert again.restore_latest(make_state())[0] == 1
        assert path.name in heard[0]
        again.close()
        shutil.rmtree(newest)
        shutil.copytree(tmp_path / "copy", newest)


def test_wrong_bits_in_a_file_that_reads_well(checkpoints, tmp_path):
    """The arrays of one step under the index of another: only their sums can tell."""
    for step in (1, 2):
        checkpoints.save(step, make_state(step), {})
    shutil.rmtree(tmp_path / "train" / "2" / "state")
    shutil.copytree(
        tmp_path / "train" / "1" / "state", tmp_path / "train" / "2" / "state"
    )
    heard = []
    step, _, _ = reopen(checkpoints, heard).restore_latest(make_state())
    assert step == 1
    assert "not as it was saved" in heard[0]
    # Killed before the sums of the files were written, the sums of the arrays remain.
    (tmp_path / "train" / "2.sums").unlink()
    heard.clear()
    step, _, _ = reopen(checkpoints, heard).restore_latest(make_state())
    assert step == 1
    assert "has another checksum" in heard[0]


def test_all_damaged_is_an_error_that_lists_them(checkpoints, tmp_path):
    for step in (1, 2):
        checkpoints.save(step, make_state(step), {})
    for path in data_files(tmp_path / "train"):
        truncate(path)
    with pytest.raises(
        UserError, match=r"Every checkpoint .*step 2: .*step 1: "
    ) as bad:
        reopen(checkpoints).restore_latest(make_state())
    assert "delete it" in str(bad.value)


def test_warning_by_default(checkpoints, tmp_path):
    for step in (1, 2):
        checkpoints.save(step, make_state(step), {})
    shutil.rmtree(tmp_path / "train" / "2" / "state")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Checkpoints(tmp_path / "train").restore_latest(make_state())
    assert any("damaged" in str(w.message) for w in caught)


def test_incomplete_save_is_no_checkpoint(checkpoints, tmp_path):
    checkpoints.save(1, make_state(1), {})
    checkpoints.save(2, make_state(2), {})
    checkpoints.close()
    folder = tmp_path / "train"
    (folder / "2").rename(folder / "2.orbax-checkpoint-tmp")
    heard = []
    again = reopen(checkpoints, heard)
    assert again.restore_latest(make_state())[0] == 1
    assert heard == []


def change(state, kind):
    if kind == "shape":
        state["params"]["stem"]["w"] = jnp.zeros((64, 4))
    elif kind == "dtype":
        state["params"]["stem"]["w"] = jnp.zeros((64, 3), jnp.bfloat16)
    elif kind == "more":
        state["params"]["head"] = jnp.zeros(2)
    else:
        del state["params"]["stem"]["w"]
    return state


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("shape", "params/stem/w: float32[64, 3] -> float32[64, 4]"),
        ("dtype", "params/stem/w: float32[64, 3] -> bfloat16[64, 3]"),
        ("more", "params/head: nothing -> float32[2]"),
        ("less", "params/stem/w: float32[64, 3] -> nothing"),
    ],
)
def test_other_structure_is_refused_by_name(checkpoints, kind, line, heard):
    checkpoints.save(1, make_state(), {})
    with pytest.raises(UserError) as refused:
        checkpoints.restore_latest(change(make_state(), kind))
    assert f"  {line}\n" in str(refused.value)
    assert str(refused.value).count(" -> ") == 2
    assert "--workdir" in str(refused.value)
    assert heard == []


def test_typed_keys_and_equal_paths_are_refused(checkpoints):
    with pytest.raises(ValueError, match="typed PRNG key"):
        checkpoints.save(0, {"key": jax.random.key(0)}, {})
    with pytest.raises(ValueError, match="path 'a/b'"):
        checkpoints.save(0, {"a": {"b": np.ones(1)}, "a/b": np.ones(1)}, {})


def layouts(config):
    mesh = make_mesh(config)
    split = NamedSharding(mesh, PartitionSpec("data"))
    columns = NamedSharding(mesh, PartitionSpec(None, "model"))
    return {"rows": split, "columns": columns, "whole": replicated(mesh)}


def test_layout_of_the_template_wins(checkpoints):
    values = {
        name: np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
        for name in ("rows", "columns", "whole")
    }
    saved = put(values, layouts(MeshConfig(data=4, model=2)))
    checkpoints.save(1, saved, {})
    wanted = layouts(MeshConfig(data=2, model=4))
    template = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), values, wanted
    )
    _, found, _ = checkpoints.restore_latest(template)
    assert jax.tree.map(lambda x: x.sharding, found) == wanted
    assert_bits_equal(host(found), values)


ONE_DEVICE = """
import sys
import jax, numpy as np
from nas.runtime.checkpoint import Checkpoints
assert len(jax.devices()) == 1
template = {"rows": jax.numpy.zeros((16, 4)), "whole": np.zeros(3, np.float32)}
step, found, _ = Checkpoints(sys.argv[1]).restore_latest(template)
np.savez(sys.argv[2], step=step, **found)
"""


def test_eight_devices_save_and_one_reads(checkpoints, tmp_path):
    mesh = make_mesh()
    assert mesh.shape["data"] == 8
    rows = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    state = {
        "rows": put(rows, NamedSharding(mesh, PartitionSpec("data"))),
        "whole": put(np.arange(3, dtype=np.float32), replicated(mesh)),
    }
    checkpoints.save(4, state, {})
    target = tmp_path / "read.npz"
    subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            ONE_DEVICE,
            checkpoints._directory,
            target,
        ],
        check=True,
    )
    with np.load(target) as found:
        assert found["step"] == 4
        assert found["rows"].tobytes() == rows.tobytes()
        assert found["whole"].tolist() == [0, 1, 2]


def test_small_state_saves_quickly(checkpoints):
    state = {f"leaf{n}": np.ones(10, np.float32) for n in range(8)}
    seconds = []
    for step in range(5):
        begin = time.perf_counter()
        checkpoints.save(step, state, {})
        seconds.append(time.perf_counter() - begin)
    # 60 ms on an idle core; a regression to fsync storms or rescans costs seconds.
    assert statistics.median(seconds) < 1.5

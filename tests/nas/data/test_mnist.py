"""MNIST is read from each of its usual files, and damaged files are refused."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from nas.data import Mnist

RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    """Random grey levels."""
    return RNG.integers(0, 256, shape, np.uint8)


def idx(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


REAL_ROOT = os.environ.get("NAS_DATA", "")
MNIST_STEMS = (
    "train-images-idx3",
    "train-labels-idx1",
    "t10k-images-idx3",
    "t10k-labels-idx1",
)


def write_mnist(folder: Path, zipped: bool = True) -> list[np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(12, dtype=np.uint8) % 10
    arrays = [pixels(12, 28, 28), labels, pixels(10, 28, 28), labels[:10]]
    for stem, array in zip(MNIST_STEMS, arrays, strict=True):
        content = idx(array)
        name = f"{stem}-ubyte" + (".gz" if zipped else "")
        (folder / name).write_bytes(gzip.compress(content) if zipped else content)
    return arrays


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("subfolder", ["", "mnist", "MNIST/raw"])
def test_mnist_reads_idx_files_wherever_they_usually_are(tmp_path, zipped, subfolder):
    arrays = write_mnist(tmp_path / subfolder, zipped)
    data = Mnist(str(tmp_path)).load()
    assert np.array_equal(data.inputs[..., 0], arrays[0])
    assert np.array_equal(data.labels, arrays[1])
    assert data.test_inputs is not None
    assert data.test_labels is not None
    assert np.array_equal(data.test_inputs[..., 0], arrays[2])
    assert np.array_equal(data.test_labels, arrays[3])
    assert "Not the whole data set: 12 training" in data.notes[0]


def test_mnist_reads_npz_and_the_root_from_the_environment(tmp_path, monkeypatch):
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = write_mnist(tmp_path / "elsewhere")
    np.savez(tmp_path / "mnist.npz", **dict(zip(names, arrays, strict=True)))
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    assert np.array_equal(Mnist().load().inputs[..., 0], arrays[0])


def test_mnist_says_what_is_wrong(tmp_path, refuses):
    refuses(Mnist(), "--data.root", "NAS_DATA")
    refuses(Mnist(str(tmp_path / "no")), "--data.root", "not a folder")
    refuses(Mnist(str(tmp_path)), "none of its files", "mnist.npz", str(tmp_path))
    write_mnist(tmp_path)
    images = tmp_path / "train-images-idx3-ubyte.gz"
    whole = gzip.decompress(images.read_bytes())

    packed = images.read_bytes()
    images.write_bytes(packed[: len(packed) // 2])
    refuses(Mnist(str(tmp_path)), str(images), "cannot be unpacked", "again")
    images.write_bytes(gzip.compress(whole[:-5]))
    refuses(Mnist(str(tmp_path)), str(images), "9408 bytes", "found 9403", "again")
    images.write_bytes(gzip.compress(b"\x00\x00\x0d\x03" + whole[4:]))
    refuses(Mnist(str(tmp_path)), str(images), "00 00 0d 03", "00 00 08 03")
    images.write_bytes(gzip.compress(idx(pixels(12, 20, 20))))
    refuses(Mnist(str(tmp_path)), "28x28", "[20, 20, 1]", "--data FILE.npz")
    images.write_bytes(gzip.compress(idx(pixels(11, 28, 28))))
    refuses(Mnist(str(tmp_path)), "int32 [11]", "[12]")
    images.unlink()
    refuses(Mnist(str(tmp_path)), "lacks train-images-idx3-ubyte", "all four")

    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04 cut short")
    refuses(Mnist(str(tmp_path)), "mnist.npz", "not a whole .npz")
    np.savez(tmp_path / "mnist.npz", x_train=pixels(1, 28, 28), y=pixels(1))
    refuses(Mnist(str(tmp_path)), "lacks y_train, x_test, y_test", "found x_train, y")


@pytest.mark.skipif(
    not any(Path(REAL_ROOT or "/nowhere").glob("**/mnist.npz")),
    reason="needs mnist.npz under the folder that NAS_DATA names",
)
def test_real_mnist():
    data = Mnist(REAL_ROOT).load()
    assert data.inputs.shape == (60_000, 28, 28, 1)
    assert data.test_inputs is not None
    assert data.test_inputs.shape == (10_000, 28, 28, 1)
    # Published counts of the training digits 0 and 1.
    assert np.bincount(data.labels)[:2].tolist() == [5923, 6742]
    assert data.notes == ()

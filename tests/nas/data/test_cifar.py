"""CIFAR is read from its binary files; pickles are not opened."""

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from nas.data import Cifar10, Cifar100

RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    """Random grey levels."""
    return RNG.integers(0, 256, shape, np.uint8)


def cifar_bytes(label_columns: list[np.ndarray], images: np.ndarray) -> bytes:
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    columns = [column.astype(np.uint8)[:, np.newaxis] for column in label_columns]
    return np.concatenate([*columns, planes], axis=1).tobytes()


def write_cifar10(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = pixels(18, 32, 32, 3), np.arange(18) % 10
    names = [f"data_batch_{number}.bin" for number in range(1, 6)]
    for index, name in enumerate([*names, "test_batch.bin"]):
        part = slice(3 * index, 3 * index + 3)
        (folder / name).write_bytes(cifar_bytes([labels[part]], images[part]))
    return images, labels


@pytest.mark.parametrize("subfolder", ["", "cifar10", "cifar-10-batches-bin"])
def test_cifar10_reads_the_binary_version(tmp_path, subfolder):
    images, labels = write_cifar10(tmp_path / subfolder)
    data = Cifar10(str(tmp_path)).load()
    assert np.array_equal(data.inputs, images[:15])
    assert np.array_equal(data.labels, labels[:15])
    assert data.test_inputs is not None
    assert np.array_equal(data.test_inputs, images[15:])
    assert data.class_names[3] == "cat"


def test_cifar100_takes_the_fine_label(tmp_path):
    images, fine, coarse = pixels(2, 32, 32, 3), np.array([99, 3]), np.array([7, 8])
    for name in ("train.bin", "test.bin"):
        (tmp_path / name).write_bytes(cifar_bytes([coarse, fine], images))
    data = Cifar100(str(tmp_path)).load()
    assert data.labels.tolist() == [99, 3]
    assert np.array_equal(data.inputs, images)
    assert data.num_classes == 100
    assert list(data.class_names) == sorted(data.class_names)
    assert (data.class_names[0], data.class_names[99]) == ("apple", "worm")


def test_cifar_says_what_is_wrong(tmp_path, refuses):
    refuses(Cifar10(str(tmp_path)), "none of its files", "data_batch_1.bin")
    write_cifar10(tmp_path)
    path = tmp_path / "data_batch_2.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    refuses(Cifar10(str(tmp_path)), str(path), "9218 bytes", "3073", "again")
    path.write_bytes(b"\x0b" + content[1:])
    refuses(Cifar10(str(tmp_path)), str(path), "label 11 of record 0", "0 to 9")
    path.unlink()
    refuses(Cifar10(str(tmp_path)), "lacks data_batch_2.bin")


@dataclasses.dataclass
class Trap:
    """Leaves a mark if anybody unpickles it."""

    mark: Path

    def __reduce__(self):
        """Say what unpickling runs."""
        return Path.touch, (self.mark,)


@pytest.mark.parametrize(
    ("source", "folder", "name", "wanted"),
    [
        (Cifar10, "cifar-10-batches-py", "data_batch_1", "cifar-10-binary.tar.gz"),
        (Cifar100, "cifar-100-python", "train", "cifar-100-binary.tar.gz"),
    ],
)
def test_pickled_cifar_is_refused_unopened(
    tmp_path, source, folder, name, wanted, refuses
):
    mark = tmp_path / "mark"
    (tmp_path / folder).mkdir()
    (tmp_path / folder / name).write_bytes(pickle.dumps(Trap(mark)))
    refuses(source(str(tmp_path)), "Python version", wanted)
    assert not mark.exists()

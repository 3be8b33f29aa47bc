"""MNIST from its usual files: idx, plain or gzipped, or `mnist.npz`.

Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to
document recognition, Proceedings of the IEEE, 1998.
"""

import dataclasses
import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from nas.data.arrays import as_images, as_labels, npz_keys, read_npz
from nas.data.base import Dataset, DataSource
from nas.data.root import data_folders, not_found, size_notes
from nas.errors import UserError

NAME = "mnist"

_SUBFOLDERS = ("mnist", "MNIST", "MNIST/raw")
_ARCHIVE = "mnist.npz"
_ARCHIVE_KEYS = ("x_train", "y_train", "x_test", "y_test")
_IDX_STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_IMAGE_SHAPE = (28, 28, 1)
_OFFICIAL_SIZES = (60_000, 10_000)
_IDX_UINT8 = 8


@dataclasses.dataclass(frozen=True)
class Mnist(DataSource):
    """MNIST, 70,000 grey images of 28x28, from idx files (plain or .gz) or mnist.npz.

    Other data sets published in the same four files (Fashion-MNIST) load as well.
    """

    root: str = ""
    """Folder with the files, or with a folder `mnist` that has them; empty: NAS_DATA.
    """

    def load(self) -> Dataset:
        """Read `mnist.npz` if it is there, else the four idx files."""
        folders = data_folders(self.root, NAME, _SUBFOLDERS)
        for folder in folders:
            if (folder / _ARCHIVE).is_file():
                return _dataset(_read_archive(folder / _ARCHIVE), folder / _ARCHIVE)
            paths = [_idx_path(folder, stem) for stem in _IDX_STEMS]
            if any(path is not None for path in paths):
                return _dataset(_read_idx_files(folder, paths), folder)
        wanted = f"{_ARCHIVE}, or {', '.join(_IDX_STEMS)} (each also as .gz)"
        raise not_found(NAME, folders, wanted)


def _dataset(arrays: list[np.ndarray], path: Path) -> Dataset:
    source = f"{NAME} ({path})"
    images = as_images(arrays[0], f"{source}: training images")
    test_images = as_images(arrays[2], f"{source}: test images")
    if images.shape[1:] != _IMAGE_SHAPE:
        raise UserError(
            f"{source}: images must be 28x28, found {list(images.shape[1:])}. These "
            "are other data: an .npz file of any size is read with --data FILE.npz."
        )
    return Dataset(
        inputs=images,
        labels=as_labels(arrays[1], f"{source}: training labels"),
        class_names=tuple(str(digit) for digit in range(10)),
        source=source,
        test_inputs=test_images,
        test_labels=as_labels(arrays[3], f"{source}: test labels"),
        notes=size_notes((len(images), len(test_images)), _OFFICIAL_SIZES),
    )


def _read_archive(path: Path) -> list[np.ndarray]:
    found = npz_keys(path)
    missing = [key for key in _ARCHIVE_KEYS if key not in found]
    if missing:
        raise UserError(
            f"{path}: lacks {', '.join(missing)}; found {', '.join(found)}. MNIST "
            f"needs the arrays {', '.join(_ARCHIVE_KEYS)}."
        )
    arrays = read_npz(path, _ARCHIVE_KEYS)
    return [arrays[key] for key in _ARCHIVE_KEYS]


def _idx_path(folder: Path, stem: str) -> Path | None:
    # Some mirrors write a dot for the last dash but one: train-images.idx3-ubyte.
    names = (stem, stem.replace("-idx", ".idx"))
    paths = [folder / f"{name}{end}" for name in names for end in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _read_idx_files(folder: Path, paths: list[Path | None]) -> list[np.ndarray]:
    pairs = list(zip(_IDX_STEMS, paths, strict=True))
    missing = [stem for stem, path in pairs if path is None]
    if missing:
        raise UserError(
            f"{folder}: MNIST lacks {', '.join(missing)} (plain or .gz). Put all four "
            "files there."
        )
    return [
        _read_idx(path, num_axes=3 if "images" in stem else 1)
        for stem, path in pairs
        if path is not None
    ]


def _read_idx(path: Path, num_axes: int) -> np.ndarray:
    """Read an idx file: 0, 0, type, rank, then big-endian sizes, then the bytes."""
    try:
        content = (
            gzip.decompress(path.read_bytes())
            if path.suffix == ".gz"
            else path.read_bytes()
        )
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: cannot be unpacked: {error}. Download the file again."
        ) from error
    header = 4 + 4 * num_axes
    if content[:4] != bytes((0, 0, _IDX_UINT8, num_axes)) or len(content) < header:
        raise UserError(
            f"{path}: not an idx file of bytes with {num_axes} axes: it begins with "
            f"{content[:4].hex(' ') or 'nothing'}, not 00 00 08 0{num_axes}. Download "
            "the file again."
        )
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", num_axes, offset=4))
    if len(content) != header + math.prod(shape):
        raise UserError(
            f"{path}: the header promises {math.prod(shape)} bytes of shape "
            f"{list(shape)}, found {len(content) - header}. The file is cut short or "
            "damaged: download it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


SOURCE = Mnist

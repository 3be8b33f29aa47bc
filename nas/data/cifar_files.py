"""The binary files of CIFAR-10 and CIFAR-100, whose records differ by one byte.

A record is one label byte (CIFAR-10) or two (CIFAR-100: coarse, then fine) and 3,072
bytes of pixels: the red, then the green, then the blue plane of 32x32.

Reference: A. Krizhevsky, Learning multiple layers of features from tiny images,
technical report, University of Toronto, 2009.
"""

import dataclasses
from pathlib import Path

import numpy as np

from nas.data.base import Dataset
from nas.data.root import data_folders, not_found, size_notes
from nas.errors import UserError

_NUM_PIXEL_BYTES = 3 * 32 * 32
_OFFICIAL_SIZES = (50_000, 10_000)


@dataclasses.dataclass(frozen=True)
class CifarLayout:
    """What tells one of the two data sets from the other.

    Attributes:
      name: the data set.
      subfolders: where under the root its files usually are.
      train_files: names of the training files, in order.
      test_file: name of the test file.
      num_label_bytes: how many bytes of a record precede the pixels; the last of them
        is the label.
      pickle_files: names of files of the Python version, which are never opened.
      class_names: what each label means.
    """

    name: str
    subfolders: tuple[str, ...]
    train_files: tuple[str, ...]
    test_file: str
    num_label_bytes: int
    pickle_files: tuple[str, ...]
    class_names: tuple[str, ...]


def read_cifar(root: str, layout: CifarLayout) -> Dataset:
    """Find and read the binary version of one of the data sets.

    Args:
      root: folder with the files or a usual subfolder of it; empty: NAS_DATA.
      layout: which data set.

    Raises:
      UserError: if files are missing or damaged, or there is only the Python version.
    """
    folder = _find(root, layout)
    parts = [_read_records(folder / name, layout) for name in layout.train_files]
    test_images, test_labels = _read_records(folder / layout.test_file, layout)
    images = np.concatenate([images for images, _ in parts])
    return Dataset(
        inputs=images,
        labels=np.concatenate([labels for _, labels in parts]),
        class_names=layout.class_names,
        source=f"{layout.name} ({folder})",
        test_inputs=test_images,
        test_labels=test_labels,
        notes=size_notes((len(images), len(test_images)), _OFFICIAL_SIZES),
    )


def _find(root: str, layout: CifarLayout) -> Path:
    folders = data_folders(root, layout.name, layout.subfolders)
    files = (*layout.train_files, layout.test_file)
    for folder in folders:
        missing = [name for name in files if not (folder / name).is_file()]
        if not missing:
            return folder
        if len(missing) < len(files):
            raise UserError(
                f"{folder}: {layout.name} lacks {', '.join(missing)}. Put all of "
                f"{', '.join(files)} there."
            )
    for folder in folders:
        for name in layout.pickle_files:
            if (folder / name).is_file():
                raise UserError(
                    f"{folder / name}: this is the Python version of {layout.name}, "
                    "pickled files, which are not opened because they could run code. "
                    "Download the binary version "
                    f"({layout.name.replace('cifar', 'cifar-')}-binary.tar.gz) and "
                    "unpack it there."
                )
    raise not_found(layout.name, folders, ", ".join(files))


def _read_records(path: Path, layout: CifarLayout) -> tuple[np.ndarray, np.ndarray]:
    content = np.fromfile(path, np.uint8)
    record = layout.num_label_bytes + _NUM_PIXEL_BYTES
    if content.size == 0 or content.size % record:
        raise UserError(
            f"{path}: {content.size} bytes are not a whole number of records of "
            f"{record} bytes. The file is cut short or damaged: unpack or download it "
            "again."
        )
    records = content.reshape(-1, record)
    labels = records[:, layout.num_label_bytes - 1].astype(np.int32)
    wrong = np.flatnonzero(labels >= len(layout.class_names))
    if wrong.size:
        raise UserError(
            f"{path}: label {labels[wrong[0]]} of record {wrong[0]} is out of range: "
            f"{layout.name} has labels 0 to {len(layout.class_names) - 1}. The file is "
            "damaged or of another data set: download it again."
        )
    planes = records[:, layout.num_label_bytes :].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels

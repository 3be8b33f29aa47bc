"""Any `.npz` file with images and labels."""

import dataclasses
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from nas.data.arrays import as_images, as_labels, npz_keys, read_npz
from nas.data.base import Dataset, DataSource, imbalance_notes
from nas.errors import UserError

NAME = "npz"

# Images and labels, and the test images and labels that may come with them.
_NAMINGS = (
    (("images", "labels"), ("test_images", "test_labels")),
    (("x", "y"), ("x_test", "y_test")),
    (("x_train", "y_train"), ("x_test", "y_test")),
)
_CLASS_NAMES = "class_names"


@dataclasses.dataclass(frozen=True)
class NpzFile(DataSource):
    """An .npz file: uint8 images [N, H, W] or [N, H, W, C] and integer labels [N].

    Its arrays are named images and labels, x and y, or x_train and y_train; a test set
    test_images and test_labels, or x_test and y_test, and class_names are optional.
    """

    path: str
    """The .npz file."""

    path_kind: ClassVar[str] = "an .npz file with images and labels"

    @classmethod
    def from_path(cls, path: Path) -> Self | None:
        """Take any file whose name ends in `.npz`."""
        return cls(str(path)) if path.suffix == ".npz" and path.is_file() else None

    def load(self) -> Dataset:
        """Read the arrays and check them."""
        path = Path(self.path).expanduser()
        found = npz_keys(path)
        train, test = _choose_keys(path, found)
        images, labels = _read_examples(path, train)
        test_images, test_labels = _read_examples(path, test) if test else (None, None)
        if _CLASS_NAMES in found:
            class_names = _read_class_names(path)
        else:
            class_names = _number_classes(path, labels)
        return Dataset(
            inputs=images,
            labels=labels,
            class_names=class_names,
            source=str(path),
            test_inputs=test_images,
            test_labels=test_labels,
            notes=imbalance_notes(labels, class_names),
        )


def _choose_keys(
    path: Path, found: tuple[str, ...]
) -> tuple[tuple[str, str], tuple[str, str] | None]:
    fitting = [naming for naming in _NAMINGS if set(naming[0]) <= set(found)]
    if len(fitting) != 1:
        allowed = "; ".join(f"{a} and {b}" for (a, b), _ in _NAMINGS)
        what = "lacks images and labels" if not fitting else "could be read in two ways"
        raise UserError(
            f"{path}: {what}: found the arrays {', '.join(found) or '(none)'}. "
            f"Allowed is one of: {allowed}."
        )
    train, test = fitting[0]
    present = [key for key in test if key in found]
    if len(present) == 1:
        raise UserError(
            f"{path}: has {present[0]} but not both of {test[0]} and {test[1]}. A test "
            "set needs images and labels."
        )
    return train, test if present else None


def _read_examples(path: Path, keys: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    arrays = read_npz(path, keys)
    images = as_images(arrays[keys[0]], f"{path}: {keys[0]}")
    return images, as_labels(arrays[keys[1]], f"{path}: {keys[1]}")


def _read_class_names(path: Path) -> tuple[str, ...]:
    names = read_npz(path, (_CLASS_NAMES,))[_CLASS_NAMES]
    if names.ndim != 1 or names.dtype.kind != "U":
        raise UserError(
            f"{path}: {_CLASS_NAMES} must be a list of texts, found {names.dtype} "
            f"{list(names.shape)}."
        )
    return tuple(str(name) for name in names)


def _number_classes(path: Path, labels: np.ndarray) -> tuple[str, ...]:
    """Name the classes by their numbers, of which none may be missing below the last.

    A gap is how a wrong label shows in a file that does not say how many classes it
    has: one stray 255 would otherwise make a network with 256 outputs.
    """
    present = np.unique(labels)
    if labels.size and present[-1] != len(present) - 1:
        gap = int(np.flatnonzero(present != np.arange(len(present)))[0])
        index = int(np.flatnonzero(labels == present[-1])[0])
        raise UserError(
            f"{path}: label {present[-1]} at index {index} is out of range: no image "
            f"has label {gap}, and labels must be 0, 1, 2, .. without a gap. Correct "
            f"the labels, or add an array {_CLASS_NAMES} that names every class."
        )
    return tuple(str(label) for label in present)


SOURCE = NpzFile

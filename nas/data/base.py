"""What a data set is, where one comes from, and its three splits.

Letters in shapes: N images, H height, W width, C colour channels. Images stay `uint8`
until they are on the device, which is four times smaller than `float32`.
"""

import abc
import dataclasses
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from nas.errors import UserError

# From here on a class is rare enough beside another to distort the error.
_IMBALANCE_RATIO = 1.5


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images in memory, checked when built.

    Attributes:
      images: uint8 [N, H, W, C], the training images.
      labels: int32 [N], each an index into `class_names`.
      class_names: what each label means.
      source: where the images come from; error messages begin with it.
      test_images: uint8 [N_test, H, W, C], the official test set where there is one.
      test_labels: int32 [N_test].
      notes: what the user should know about these data, a sentence each.

    Raises:
      UserError: if a type, a shape or a label is wrong.
    """

    inputs: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    source: str
    test_inputs: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check everything that the rest of the program relies on."""
        _check_class_names(self.class_names, self.source)
        self._check_examples("training", self.inputs, self.labels)
        if (self.test_inputs is None) != (self.test_labels is None):
            raise UserError(
                f"{self.source}: a test set needs both images and labels, found only "
                f"{'labels' if self.test_inputs is None else 'images'}. "
                "Give both or neither."
            )
        if self.test_inputs is not None and self.test_labels is not None:
            self._check_examples("test", self.test_inputs, self.test_labels)
            if self.test_inputs.shape[1:] != self.inputs.shape[1:]:
                raise UserError(
                    f"{self.source}: test images are {_size(self.test_inputs)} but "
                    f"training images are {_size(self.inputs)}. Make them one size."
                )

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and the number of channels."""
        height, width, channels = self.inputs.shape[1:]
        return height, width, channels

    def _check_examples(self, part: str, images: np.ndarray, labels: np.ndarray):
        where = f"{self.source}: {part}"
        if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
            raise UserError(
                f"{where} images must be uint8 [N, H, W, C] and not empty, found "
                f"{images.dtype} {list(images.shape)}."
            )
        if labels.dtype != np.int32 or labels.shape != images.shape[:1]:
            raise UserError(
                f"{where} labels must be int32 [{len(images)}], one for each image, "
                f"found {labels.dtype} {list(labels.shape)}."
            )
        wrong = np.flatnonzero((labels < 0) | (labels >= self.num_classes))
        if wrong.size:
            raise UserError(
                f"{where} label {labels[wrong[0]]} at index {wrong[0]} is out of range "
                f"({wrong.size} of {len(labels)} labels are): {self.num_classes} "
                f"classes have labels 0 to {self.num_classes - 1}. Correct the labels."
            )


def _check_class_names(names: tuple[str, ...], source: str) -> None:
    if len(names) < 2:
        raise UserError(
            f"{source}: found {len(names)} class ({', '.join(names)}). Classification "
            "needs at least two."
        )
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UserError(
            f"{source}: class names must differ, found more than once: "
            f"{', '.join(twice)}."
        )


def _size(images: np.ndarray) -> str:
    return "x".join(str(n) for n in images.shape[1:])


def imbalance_notes(
    labels: np.ndarray, class_names: tuple[str, ...]
) -> tuple[str, ...]:
    """Say so in a sentence when some classes have many more images than others.

    Args:
      labels: int32 [N], the label of each image; every class occurs.
      class_names: what each label means.

    Returns:
      One sentence, or nothing when the classes are about equally large.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < _IMBALANCE_RATIO * counts[least]:
        return ()
    return (
        f"The classes are not balanced: {class_names[most]} has {counts[most]} images, "
        f"{class_names[least]} has {counts[least]}; always answering "
        f"{class_names[most]} would already be right for "
        f"{counts[most] / counts.sum():.0%} of the images.",
    )


@dataclasses.dataclass(frozen=True)
class DataSource(abc.ABC):
    """Where a data set comes from; fields say where exactly, `load` reads it.

    A source is one module of this package with two names: `NAME`, by which the command
    line knows it, and `SOURCE`, its class. A source that reads files or folders that
    the user points at also has `path_kind` and `from_path`.
    """

    path_kind: ClassVar[str] = ""
    """What a path must lead to for `from_path` to take it; empty: takes no path."""

    @abc.abstractmethod
    def load(self) -> Dataset:
        """Read everything into memory.

        Raises:
          UserError: if a file is missing, damaged or holds something else.
        """

    @classmethod
    def from_path(cls, path: Path) -> Self | None:
        """Make the source that reads this file or folder.

        Args:
          path: something that exists.

        Returns:
          The source, or None if this class does not read such a thing.
        """
        del path
        return None


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """The examples of one split: images uint8 [N, H, W, C] and labels int32 [N]."""

    inputs: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """Three splits that share no example.

    Attributes:
      weights: what the weights of the supernet are trained on.
      search: what controllers rank architectures by.
      report: what the numbers in reports are measured on, once, at the end.
      class_names: what each label means.
    """

    weights: Split
    search: Split
    report: Split
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and the number of channels."""
        height, width, channels = self.weights.inputs.shape[1:]
        return height, width, channels

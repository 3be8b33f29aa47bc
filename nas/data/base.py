"""What a data set is, where one comes from, and its three splits.

Letters in shapes: N examples, H height, W width, C colour channels, T tokens. Images
stay `uint8` until they are on the device, which is four times smaller than `float32`.
"""

import abc
import dataclasses
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from nas.data.kinds import Images, Kind
from nas.errors import UserError

# From here on a class is rare enough beside another to distort the error.
_IMBALANCE_RATIO = 1.5


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples in memory, checked when built.

    Attributes:
      inputs: of the training examples: images uint8 [N, H, W, C], or tokens int32
        [N, T].
      labels: int32 [N], or int32 [N, T] for tokens; each an index into `class_names`.
      class_names: what each label means.
      source: where the examples come from; error messages begin with it.
      test_inputs: of the official test set where there is one.
      test_labels: of the same.
      notes: what the user should know about these data, a sentence each.
      kind: what the examples are.
      ordered: whether neighbours are alike and share what they are made of, as the
        windows of a text do. Splits are then runs of neighbours, one example apart.

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
    kind: Kind = dataclasses.field(default_factory=Images)
    ordered: bool = False

    def __post_init__(self) -> None:
        """Check everything that the rest of the program relies on."""
        _check_class_names(self.class_names, self.source)
        self._check_examples("training", self.inputs, self.labels)
        examples = self.kind.words.examples
        if (self.test_inputs is None) != (self.test_labels is None):
            raise UserError(
                f"{self.source}: a test set needs both {examples} and labels, found "
                f"only {'labels' if self.test_inputs is None else examples}. "
                "Give both or neither."
            )
        if self.test_inputs is not None and self.test_labels is not None:
            self._check_examples("test", self.test_inputs, self.test_labels)
            if self.test_inputs.shape[1:] != self.inputs.shape[1:]:
                raise UserError(
                    f"{self.source}: test {examples} are {_size(self.test_inputs)} but "
                    f"training {examples} are {_size(self.inputs)}. Make them one size."
                )

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example: height, width and channels, or the number of tokens."""
        return self.inputs.shape[1:]

    def check_network(self, input_dtype: str, name: str) -> None:
        """Refuse a network that takes examples of another kind.

        Args:
          input_dtype: of what the network takes.
          name: of the network, for the message.

        Raises:
          UserError: it does.
        """
        if input_dtype != self.kind.INPUT_DTYPE:
            kinds = {"float32": "images", "int32": "tokens of a text"}
            raise UserError(
                f"{self.source}: these data are {kinds[self.kind.INPUT_DTYPE]}, but "
                f"{name} takes {kinds.get(input_dtype, input_dtype)}. Give other data "
                "(--data), or run an experiment whose network takes these."
            )

    def _check_examples(self, part: str, inputs: np.ndarray, labels: np.ndarray):
        where = f"{self.source}: {part}"
        self.kind.check_inputs(where, inputs, labels)
        wrong = np.argwhere((labels < 0) | (labels >= self.num_classes))
        if len(wrong):
            at = tuple(wrong[0])
            index = ", ".join(str(int(i)) for i in at)
            raise UserError(
                f"{where} label {labels[at]} at index {index} is out of range "
                f"({len(wrong)} of {labels.size} labels are): {self.num_classes} "
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
    """The examples of one split: inputs and labels as in `Dataset`."""

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
    def input_shape(self) -> tuple[int, ...]:
        """Of one example, as in `Dataset`."""
        return self.weights.inputs.shape[1:]

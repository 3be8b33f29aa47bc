"""What the examples of a data set are: images, or windows of tokens.

A kind says how arrays of examples look, how they become a network's input, and what
people call them. Everything else treats all kinds alike.

Letters in shapes: N examples, B batch; an example has one label or one at each place.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class Words:
    """What people call things, in reports and messages.

    Attributes:
      example: what a network takes, as in "one image".
      examples: many of them.
      place: what has one label, as in "one character"; an image is one place.
      places: many of them.
      task: what the networks do, with `{shape}`, `{data}` and `{classes}` to fill in.
      interval: what the intervals of errors are.
      argument: what `predict.py` is given on the command line.
      predicts: what it does.
      headline: what people of the field read first: `error` or `nll`.
    """

    example: str
    examples: str
    place: str
    places: str
    task: str
    interval: str
    argument: str
    predicts: str
    headline: str


class Preprocessing(abc.ABC):
    """From raw inputs to what a network takes; a trained network carries it with it.

    A pure function that can be traced: the same code runs eagerly, under `jit`, and
    inside an exported program. Concrete ones are frozen dataclasses.
    """

    @property
    @abc.abstractmethod
    def kind(self) -> "Kind":
        """Of what examples."""

    @property
    @abc.abstractmethod
    def num_values(self) -> int:
        """How many values a raw input can have: 0 to one below."""

    @abc.abstractmethod
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Prepare inputs.

        Args:
          inputs: raw, `[.., *shape]`, of the kind's `RAW_DTYPE`.

        Returns:
          `[.., *shape]`, of the kind's `INPUT_DTYPE`.
        """

    @abc.abstractmethod
    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse the shape of one example if it is of other data.

        Raises:
          UserError: it is.
        """

    @classmethod
    @abc.abstractmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Write as JSON values; reading them back gives an equal object."""


class Kind(abc.ABC):
    """What the examples of a data set are. Concrete kinds are frozen dataclasses.

    Attributes:
      NAME: in files.
      RAW_DTYPE: of inputs in memory, which exported programs take.
      INPUT_DTYPE: of what networks take.
      INPUT_NAME: what the input of a converted program is called.
    """

    NAME: ClassVar[str]
    RAW_DTYPE: ClassVar[str]
    INPUT_DTYPE: ClassVar[str]
    INPUT_NAME: ClassVar[str]

    @property
    @abc.abstractmethod
    def words(self) -> Words:
        """What people call examples of this kind."""

    @abc.abstractmethod
    def check_inputs(self, where: str, inputs: np.ndarray, labels: np.ndarray) -> None:
        """Check the types and shapes of examples.

        Args:
          where: what error messages begin with.
          inputs: raw, with a leading axis N.
          labels: of each example.

        Raises:
          UserError: one is wrong.
        """

    @abc.abstractmethod
    def fit(self, inputs: np.ndarray) -> Preprocessing:
        """Make the preprocessing that suits training inputs.

        Args:
          inputs: raw, of the weights split.

        Returns:
          The preprocessing.
        """

    @abc.abstractmethod
    def measured(self, num_examples: int, num_places: int, nll: float | None) -> dict:
        """Say on how much something was measured, as JSON values for `card.json`.

        Args:
          num_examples: N.
          num_places: labels of one example.
          nll: mean negative log-likelihood, in nats.

        Returns:
          Counts, and what people of the field would rather read than nats.
        """

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Write for `config.json`: the name, and what reports need to know."""

    def size_text(self, shape: tuple[int, ...]) -> str:
        """Write the shape of one example for people."""
        return "x".join(map(str, shape))

    def refuse_augmentation(self, augments: bool) -> None:
        """Refuse random crops and flips where they would destroy the example.

        Args:
          augments: whether any was asked for.

        Raises:
          UserError: it was, and must not be.
        """
        del augments

"""Tokens: windows of a text, each token labelled with the one that follows it."""

import dataclasses
import math
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from nas.data.kinds.base import Kind, Preprocessing, Words
from nas.errors import UserError

UNITS = ("character", "byte", "token")


@dataclasses.dataclass(frozen=True)
class Tokens(Kind):
    """Windows of tokens int32 [N, T], with as many labels, int32 [N, T].

    Attributes:
      size: V, the number of tokens in the vocabulary.
      unit: what a token is: a `character`, a `byte`, or some other `token`.
      vocabulary: V numbers that say what each token stands for, in ascending order:
        code points of characters, or values of bytes. Empty for other tokens.
    """

    NAME: ClassVar[str] = "tokens"
    RAW_DTYPE: ClassVar[str] = "int32"
    INPUT_DTYPE: ClassVar[str] = "int32"
    INPUT_NAME: ClassVar[str] = "tokens"

    size: int
    unit: str = "token"
    vocabulary: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check that the vocabulary is one."""
        if self.unit not in UNITS:
            raise UserError(
                f"tokens: unit is {self.unit!r}; allowed: {', '.join(UNITS)}."
            )
        expected = 0 if self.unit == "token" else self.size
        if len(self.vocabulary) != expected or self.size < 2:
            raise UserError(
                f"tokens: {self.size} tokens with {len(self.vocabulary)} meanings; at "
                f"least two tokens are needed, and {expected} meanings for the unit "
                f"{self.unit}."
            )
        if list(self.vocabulary) != sorted(set(self.vocabulary)):
            raise UserError(
                "tokens: the vocabulary must be in ascending order, each number once."
            )
        limit = 0xFF if self.unit == "byte" else sys.maxunicode
        if self.vocabulary and (self.vocabulary[0] < 0 or self.vocabulary[-1] > limit):
            raise UserError(
                f"tokens: the vocabulary reaches from {self.vocabulary[0]} to "
                f"{self.vocabulary[-1]}, and these are not all {self.unit}s."
            )

    @property
    def words(self) -> Words:
        """What people call them."""
        return self.words_for(self.unit)

    @classmethod
    def words_for(cls, unit: str) -> Words:
        """Give the words for a unit; an unknown one is called a token."""
        unit = unit if unit in UNITS else "token"
        return Words(
            example="window",
            examples="windows of text",
            place=unit,
            places=f"{unit}s",
            task=f"The networks say which {unit} comes next, at each place of windows "
            f"of {{shape}} {unit}s ({{data}}, with {{classes}} different {unit}s).",
            interval=f"a 95 % interval over windows, as the {unit}s of one window are "
            "not independent",
            argument='"Some text"',
            predicts=f"say which {unit} comes next",
            headline="nll",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What each token is called: printable, and all different."""
        name = {"character": _character_name, "byte": _byte_name}.get(self.unit)
        if name is None:
            return tuple(str(number) for number in range(self.size))
        return tuple(name(number) for number in self.vocabulary)

    def check_inputs(self, where: str, inputs: np.ndarray, labels: np.ndarray) -> None:
        """Check types, shapes and the range; see `Kind.check_inputs`."""
        if inputs.dtype != np.int32 or inputs.ndim != 2 or 0 in inputs.shape:
            raise UserError(
                f"{where} tokens must be int32 [N, T] and not empty, found "
                f"{inputs.dtype} {list(inputs.shape)}."
            )
        if labels.dtype != np.int32 or labels.shape != inputs.shape:
            raise UserError(
                f"{where} labels must be int32 {list(inputs.shape)}, one for each "
                f"token, found {labels.dtype} {list(labels.shape)}."
            )
        low, high = int(inputs.min()), int(inputs.max())
        if low < 0 or high >= self.size:
            raise UserError(
                f"{where} tokens reach from {low} to {high}; the {self.size} of the "
                f"vocabulary are numbered 0 to {self.size - 1}."
            )

    def fit(self, inputs: np.ndarray) -> "TokenPreprocessing":
        """Keep tokens as they are; see `Kind.fit`."""
        del inputs
        return TokenPreprocessing(self)

    def measured(self, num_examples: int, num_places: int, nll: float | None) -> dict:
        """Count tokens, and give bits for each; see `Kind.measured`."""
        counts = {
            "num_windows": num_examples,
            "num_tokens": num_examples * num_places,
        }
        bits = None if nll is None else nll / math.log(2)
        return counts | {f"bits_per_{self.unit}": bits}

    def to_json(self) -> dict[str, Any]:
        """Write for `config.json`, without the vocabulary."""
        return {"kind": self.NAME, "unit": self.unit}

    def size_text(self, shape: tuple[int, ...]) -> str:
        """Write the shape of one window for people."""
        return f"windows of {'x'.join(map(str, shape))} {self.unit}s"

    def refuse_augmentation(self, augments: bool) -> None:
        """Refuse crops and flips; see `Kind.refuse_augmentation`."""
        if augments:
            raise UserError(
                "training.augment: random crops and flips are for images, but the data "
                "are text. Set training.augment.crop_padding to 0 and "
                "training.augment.flip to false."
            )


@dataclasses.dataclass(frozen=True)
class TokenPreprocessing(Preprocessing):
    """Tokens as they are: they only need to be tokens.

    Attributes:
      tokens: what each one stands for.
    """

    tokens: Tokens

    @property
    def kind(self) -> Tokens:
        """Of tokens."""
        return self.tokens

    @property
    def num_values(self) -> int:
        """The size of the vocabulary."""
        return self.tokens.size

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Check the type, and change nothing.

        Args:
          inputs: int32 [.., T].

        Returns:
          The same.
        """
        if inputs.dtype != jnp.int32 or inputs.ndim < 1:
            raise ValueError(
                f"Tokens must be int32 [.., T], found {inputs.dtype} "
                f"{list(inputs.shape)}."
            )
        return inputs

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse what is no window; see `Preprocessing.check_shape`."""
        if len(shape) != 1:
            raise UserError(
                "The preprocessing is for windows of tokens, but the network takes "
                f"inputs of shape {list(shape)}."
            )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        meanings = tuple(int(number) for number in content["vocabulary"])
        return cls(Tokens(int(content["size"]), str(content["unit"]), meanings))

    def to_json(self) -> dict[str, Any]:
        """Write as JSON values."""
        return {
            "unit": self.tokens.unit,
            "size": self.tokens.size,
            "vocabulary": list(self.tokens.vocabulary),
        }


def _character_name(number: int) -> str:
    """Name a character by itself, or by an escape that is longer than it."""
    character = chr(number)
    if character == " ":
        return "space"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _byte_name(number: int) -> str:
    """Name a byte by its ASCII character, or by its value."""
    if number == ord(" "):
        return "space"
    printable = number < 128 and chr(number).isprintable()
    return chr(number) if printable else f"{number:#04x}"

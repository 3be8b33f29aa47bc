"""Kinds of examples: images, and windows of tokens."""

from collections.abc import Mapping
from typing import Any

from nas.data.kinds.base import Kind as Kind
from nas.data.kinds.base import Preprocessing as Preprocessing
from nas.data.kinds.base import Words as Words
from nas.data.kinds.images import ImagePreprocessing as ImagePreprocessing
from nas.data.kinds.images import Images as Images
from nas.data.kinds.tokens import TokenPreprocessing as TokenPreprocessing
from nas.data.kinds.tokens import Tokens as Tokens
from nas.errors import UserError

_PREPROCESSINGS: dict[str, type[Preprocessing]] = {
    Images.NAME: ImagePreprocessing,
    Tokens.NAME: TokenPreprocessing,
}


def read_preprocessing(kind: str, content: Mapping[str, Any]) -> Preprocessing:
    """Read what some `Preprocessing.to_json` wrote.

    Args:
      kind: the `NAME` of the kind of its examples.
      content: the JSON values.

    Raises:
      UserError: the kind is not known here, or the values are no preprocessing.
    """
    if kind not in _PREPROCESSINGS:
        raise UserError(
            f"input: kind is {kind!r}; this version knows "
            f"{', '.join(_PREPROCESSINGS)}. Read it with the version that wrote it."
        )
    return _PREPROCESSINGS[kind].from_json(content)


def words_of(content: Mapping[str, Any] | None) -> Words:
    """Give the words for what some `Kind.to_json` wrote.

    Args:
      content: the JSON values; None, or anything unknown, counts as images.
    """
    kind = (content or {}).get("kind")
    if kind == Tokens.NAME:
        return Tokens.words_for(str((content or {}).get("unit", "token")))
    return Images().words

"""Text: any UTF-8 file, or the documentation that comes with Python.

The embedded text is `pydoc_data.topics`, what Python's `help("if")` and its like print:
a few hundred thousand characters of English prose and small programs about the language
(Python Software Foundation License). It differs a little from one release of Python to
the next. Some of its topics contain others word for word, so that each paragraph is
kept only where it occurs first: held-out text would otherwise have been trained on.
"""

import dataclasses
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from nas.data.base import Dataset, DataSource
from nas.data.kinds import Tokens
from nas.errors import UserError, check_least

NAME = "text"
LEVELS = ("character", "byte")
# Three splits of a few windows each, and one left out at both borders.
_LEAST_WINDOWS = 16


@dataclasses.dataclass(frozen=True)
class TextFile(DataSource):
    """A UTF-8 text, cut into windows in which each token's label is the next token.

    Windows lie one after another. The splits are runs of them that share no token: the
    first part of the text trains, what follows is searched by, and its end is the
    report. The vocabulary is that of the whole text, so that no split has a token that
    cannot be named; that is all that is known of the held-out parts.
    """

    path: str = ""
    """The text file; if empty, the documentation that comes with Python."""

    level: str = "character"
    """What a token is: a character, or a byte."""

    length: int = 64
    """Tokens of an example, T."""

    path_kind: ClassVar[str] = "a .txt file"

    def __post_init__(self) -> None:
        """Check the level and the length."""
        if self.level not in LEVELS:
            raise UserError(
                f"data: level is {self.level!r}; allowed: {', '.join(LEVELS)}."
            )
        check_least("data", self, length=1)

    @classmethod
    def from_path(cls, path: Path) -> Self | None:
        """Take any file whose name ends in `.txt`."""
        return cls(str(path)) if path.suffix == ".txt" and path.is_file() else None

    def load(self) -> Dataset:
        """Read the text, number its tokens, and cut it into windows."""
        source = self.path or "the documentation of Python"
        text = read_text(Path(self.path).expanduser()) if self.path else embedded_text()
        numbers = _numbers(text, self.level)
        vocabulary, tokens = _tokens(numbers)
        windows = (len(tokens) - 1) // self.length
        self._check(source, len(tokens), windows, len(vocabulary))
        kind = Tokens(
            len(vocabulary), self.level, tuple(int(number) for number in vocabulary)
        )
        end, shape = windows * self.length, (windows, self.length)
        return Dataset(
            inputs=tokens[:end].reshape(shape),
            labels=tokens[1 : end + 1].reshape(shape),
            class_names=kind.names,
            source=source,
            notes=(
                f"{source}: {len(tokens):,} {self.level}s, {len(vocabulary)} different "
                f"ones in the whole text, in {windows:,} windows of {self.length}.",
            ),
            kind=kind,
            ordered=True,
        )

    def _check(self, source: str, num: int, windows: int, size: int) -> None:
        if windows < _LEAST_WINDOWS:
            needed = _LEAST_WINDOWS * self.length + 1
            raise UserError(
                f"{source}: has {num:,} {self.level}s, too few for windows of "
                f"{self.length}: at least {needed:,} are needed. Give a longer text, "
                "or a smaller --data.length."
            )
        if size < 2:
            raise UserError(
                f"{source}: repeats a single {self.level}, so there is nothing to "
                "learn. Give another text."
            )


def read_text(path: Path) -> str:
    """Read a text file.

    Args:
      path: the file.

    Returns:
      Its characters; line ends are as in the file.

    Raises:
      UserError: it is missing, empty, binary, or not UTF-8.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise UserError(f"{path}: {what}. Give the path of a text file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from error
    if not content:
        raise UserError(f"{path}: is empty. Give a file with text in it.")
    if (place := content.find(0)) >= 0:
        raise UserError(
            f"{path}: is no text: there is a zero byte at offset {place}. Give a text "
            "file in UTF-8."
        )
    try:
        # An editor's mark at the beginning is no part of the text.
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: is not UTF-8: the byte {content[error.start]:#04x} at offset "
            f"{error.start} begins no character. Convert it, for instance: iconv -f "
            "latin1 -t utf-8."
        ) from error


def embedded_text() -> str:
    """Give the text that comes with every Python, each paragraph once."""
    # Here, because nothing else needs these half a million characters.
    from pydoc_data import topics

    seen: set[str] = set()
    kept = []
    for name in sorted(topics.topics):
        for paragraph in topics.topics[name].split("\n\n"):
            if paragraph.strip() not in seen:
                seen.add(paragraph.strip())
                kept.append(paragraph)
    return "\n\n".join(kept)


def _numbers(text: str, level: str) -> np.ndarray:
    """Give the code points, or the bytes, of a text: integers [N]."""
    if level == "byte":
        return np.frombuffer(text.encode("utf-8"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def _tokens(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the numbers that occur, ascending, and place each in that list: int32."""
    # Without sorting, which takes long for a large text.
    occurs = np.zeros(int(numbers.max(initial=0)) + 1, bool)
    occurs[numbers] = True
    places = np.cumsum(occurs, dtype=np.int32) - 1
    return np.flatnonzero(occurs), places[numbers]


SOURCE = TextFile

"""Plain CSV files: the columns of one, each line with its number."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from nas.errors import UserError


def read_rows(path: str, needs: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a line of headings.

    Args:
      path: the file.
      needs: headings that must be there.

    Returns:
      A dictionary for each line that is not empty, by heading, without spaces around.

    Raises:
      UserError: there is no such file, a heading is missing or there twice, or a line
        has more or fewer cells.
    """
    file = Path(path).expanduser()
    try:
        with file.open(newline="", encoding="utf-8-sig") as content:
            lines = [line for line in csv.reader(content) if any(line)]
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file.") from None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    headings = [cell.strip() for cell in lines[0]] if lines else []
    missing = [name for name in needs if name not in headings]
    if missing:
        raise UserError(
            f"{path}: the first line must name the column {', '.join(missing)}; found "
            f"{', '.join(headings) or 'nothing'}."
        )
    if len(set(headings)) < len(headings):
        raise UserError(f"{path}: a column is there twice: {', '.join(headings)}.")
    return list(_named(path, headings, lines[1:]))


def number(text: str, where: str) -> float:
    """Read a cell as a number.

    Raises:
      UserError: it is none; NaN and infinities are left to the caller.
    """
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"{where}: {text!r} is no number; write 1.25 or 3e-2."
        ) from None


def _named(
    path: str, headings: list[str], lines: list[list[str]]
) -> Iterator[dict[str, str]]:
    for place, line in enumerate(lines, start=1):
        if len(line) != len(headings):
            raise UserError(
                f"{path}: row {place} has {len(line)} cells, but there are "
                f"{len(headings)} columns: {', '.join(headings)}."
            )
        yield {name: cell.strip() for name, cell in zip(headings, line, strict=True)}

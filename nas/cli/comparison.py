"""A comparison as a person, or another program, reads it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from nas.cli.output import console, say
from nas.comparison.budgets import TITLES
from nas.comparison.intervals import METHOD, Interval
from nas.comparison.pairing import Row
from nas.comparison.quantities import by_name
from nas.comparison.result import Comparison

HEADS = (
    "quantity",
    "method",
    "seeds",
    "mean",
    "low",
    "high",
    "difference",
    "difference low",
    "difference high",
    "wins",
    "losses",
    "pairs",
)


def print_comparison(found: Comparison, written: Sequence[Path]) -> None:
    """Print the tables: for people on a terminal, tab separated elsewhere."""
    if not sys.stdout.isatty():
        for line in lines(found):
            print("\t".join(line))
        return
    for name, rows in found.tables.items():
        _table(found, name, rows)
    _budgets(found)
    for note in found.notes:
        say(f"* {note}")
    say(f"Intervals: {METHOD}.")
    for path in written:
        if path.suffix == ".html":
            say(f"Page  {path}")
            say("      open it in a browser")


def lines(found: Comparison) -> list[list[str]]:
    """Write a comparison for other programs.

    Args:
      found: the comparison.

    Returns:
      The cells of each line, headings first; a cell without a value is empty. Budgets
      come last, as quantities called `budget/..`.
    """
    made: list[list[str]] = [list(HEADS)]
    for name, rows in found.tables.items():
        for row in rows:
            cells = [name, row.variant, str(row.mean.n), *_numbers(row.mean)]
            if row.difference is None:
                cells += [""] * 6
            else:
                cells += _numbers(row.difference)
                cells += [str(row.wins), str(row.losses), str(row.difference.n)]
            made.append(cells)
    for variant, amounts in found.budgets.items():
        for name, amount in amounts.items():
            cells = [f"budget/{name}", variant, str(amount.n), *_numbers(amount)]
            made.append(cells + [""] * 6)
    return made


def _numbers(found: Interval) -> list[str]:
    return [
        "" if v is None else f"{v:.6g}" for v in (found.mean, found.low, found.high)
    ]


def _table(found: Comparison, name: str, rows: Sequence[Row]) -> None:
    from rich.table import Table

    from nas.report.compare_page import cells, heads

    quantity = by_name()[name]
    better = "higher" if quantity.better > 0 else "lower"
    title = f"{quantity.title} ({name}; {better} is better)"
    table = Table(title=title, title_justify="left")
    for place, head in enumerate(heads(found.baseline)):
        table.add_column(head, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*cells(row))
    console().print(table)


def _budgets(found: Comparison) -> None:
    from rich.table import Table

    from nas.report.compare_page import amount

    names = [n for n in TITLES if any(n in own for own in found.budgets.values())]
    reference = found.budgets.get(found.baseline or "", {})
    table = Table(title="Budgets, means over seeds", title_justify="left")
    table.add_column("method", no_wrap=True)
    for name in names:
        table.add_column(TITLES[name], justify="right")
    for variant, own in found.budgets.items():
        cells = [amount(own.get(name), reference.get(name)) for name in names]
        table.add_row(variant, *cells)
    console().print(table)

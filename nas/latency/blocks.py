"""Lookup tables of blocks: what each option adds to the latency."""

import dataclasses
from pathlib import Path

import numpy as np

from nas.errors import UserError, nearest
from nas.latency.features import COSTS
from nas.latency.model import LatencyModel
from nas.latency.source import LatencySource
from nas.latency.table_csv import number, read_rows
from predictors.latency import additive
from search_spaces import SearchSpace
from supernets import Supernet

FIXED = "fixed"
HEADINGS = ("decision", "option", "ms")


@dataclasses.dataclass(frozen=True)
class BlockLatency(LatencySource):
    """A sum over a table, as Once-for-All's (Cai et al., 2020, arXiv 1908.09791).

    The columns are `decision`, `option` and `ms`, with a line for every option of every
    decision, and one for the decision `fixed`, without an option: what every network
    takes. Decisions without effect add nothing.
    """

    path: str = ""
    """The CSV file."""

    def load(self, supernet: Supernet) -> LatencyModel:
        """Read it; see `LatencySource.load`."""
        space = supernet.space
        table, fixed = _read(space, self.path)
        weights = np.concatenate([table[space.valid], np.zeros(len(COSTS))])
        none = np.zeros((0, space.num_decisions), np.int32)
        text = f"{self.path}: {int(space.valid.sum())} options, added up"
        return LatencyModel(supernet, additive(weights, fixed), text, none, np.zeros(0))


def is_block_table(path: str) -> bool:
    """Say by the first line whether a CSV file is of options, not of architectures."""
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig") as file:
            names = {name.strip() for name in file.readline().split(",")}
    except (OSError, ValueError):
        return False
    return set(HEADINGS) <= names


def _read(space: SearchSpace, path: str) -> tuple[np.ndarray, float]:
    """Read `float64[D, O]` and what is fixed, NaN on padding."""
    table = np.full(space.valid.shape, np.nan)
    fixed = np.nan
    for place, row in enumerate(read_rows(path, HEADINGS), 1):
        where = f"{path}: row {place}"
        ms = number(row["ms"], where)
        if not (np.isfinite(ms) and ms >= 0):
            raise UserError(f"{where}: ms is {ms}; it must be a number from 0.")
        name, option = row["decision"], row["option"]
        if name == FIXED and not option:
            if not np.isnan(fixed):
                raise UserError(f"{where}: {FIXED} is there already.")
            fixed = ms
            continue
        d, o = _place(space, name, option, where)
        if not np.isnan(table[d, o]):
            raise UserError(f"{where}: option {option} of {name} is there already.")
        table[d, o] = ms
    missing = [
        f"{space.names[d]} {space.decisions[d].options[o]}"
        for d, o in np.argwhere(space.valid & np.isnan(table))
    ] + ([FIXED] if np.isnan(fixed) else [])
    if missing:
        raise UserError(
            f"{path}: {len(missing)} lines are missing for the space {space.name!r}: "
            f"{', '.join(missing[:5])}{' ..' if len(missing) > 5 else ''}. Every "
            f"option of every decision needs one, and {FIXED}; write 0 for nothing."
        )
    return table, float(fixed)


def _place(space: SearchSpace, name: str, option: str, where: str) -> tuple[int, int]:
    if name not in space.names:
        raise UserError(
            f"{where}: the space {space.name!r} has no decision {name!r}. "
            f"{nearest(name, (*space.names, FIXED))}"
        )
    d = space.names.index(name)
    options = [str(known) for known in space.decisions[d].options]
    if option not in options:
        raise UserError(
            f"{where}: decision {name!r} has no option {option!r}. "
            f"{nearest(option, options)}"
        )
    return d, options.index(option)

"""Lookup tables of blocks: what each option adds to the latency."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from nas.errors import UserError, nearest
from nas.latency.model import LatencyModel
from nas.latency.source import LatencySource
from nas.latency.table_csv import number, read_rows
from predictors.latency import looked_up
from search_spaces import SearchSpace
from supernets import Supernet

FIXED = "fixed"
HEADINGS = ("decision", "option", "ms")
JOIN = "+"

Tables = dict[tuple[int, ...], np.ndarray]
"""`float64[O1, .., Ok]` by the decisions of a group."""


@dataclasses.dataclass(frozen=True)
class BlockLatency(LatencySource):
    """A sum over a table, as Once-for-All's (Cai et al., 2020, arXiv 1908.09791).

    The columns are `decision`, `option` and `ms`, with a line for every option of every
    decision, and one for the decision `fixed`, without an option: what every network
    takes. Where decisions do not add up, as the kernel and the expansion of a block do
    not, a line is of a combination: `kernel_1_2+expand_1_2`, `5+4`. Decisions without
    effect add nothing.
    """

    path: str = ""
    """The CSV file."""

    def load(self, supernet: Supernet) -> LatencyModel:
        """Read it; see `LatencySource.load`."""
        space = supernet.space
        tables, fixed = _read(space, self.path)
        ends = np.cumsum(space.num_options)
        begins = ends - np.asarray(space.num_options)
        groups = tuple(
            (tuple((int(begins[d]), int(ends[d])) for d in together), ms)
            for together, ms in tables.items()
        )
        num = sum(ms.size for ms in tables.values())
        text = f"{self.path}: {num} blocks, added up"
        none = np.zeros((0, space.num_decisions), np.int32)
        return LatencyModel(supernet, looked_up(groups, fixed), text, none, np.zeros(0))


def is_block_table(path: str) -> bool:
    """Say by the first line whether a CSV file is of options, not of architectures."""
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig") as file:
            names = {name.strip() for name in file.readline().split(",")}
    except (OSError, ValueError):
        return False
    return set(HEADINGS) <= names


def _read(space: SearchSpace, path: str) -> tuple[Tables, float]:
    """Read every group of decisions and what is fixed."""
    tables: Tables = {}
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
        group, options = _places(space, name, option, where)
        if group not in tables:
            _check_group(space, group, tables, where)
            tables[group] = np.full([space.num_options[d] for d in group], np.nan)
        if not np.isnan(tables[group][options]):
            raise UserError(f"{where}: option {option} of {name} is there already.")
        tables[group][options] = ms
    _check_whole(space, tables, fixed, path)
    return tables, float(fixed)


def _check_group(
    space: SearchSpace, group: tuple[int, ...], tables: Tables, where: str
) -> None:
    """Refuse decisions that are in another group, or not in effect together."""
    names = [space.names[d] for d in group]
    for d, name in zip(group, names, strict=True):
        if any(d in other for other in tables):
            raise UserError(
                f"{where}: {name} stands with other decisions in lines before; each "
                "decision is either by itself or always with the same ones."
            )
    conditions = {_condition(space, d) for d in group}
    if len(conditions) > 1:
        raise UserError(
            f"{where}: {' and '.join(names)} do not always have an effect together. "
            "Give them lines of their own."
        )


def _condition(space: SearchSpace, d: int) -> tuple[int, bytes] | None:
    """Give what a decision depends on, to compare."""
    condition = space.conditions[d]
    return None if condition is None else (condition[0], condition[1].tobytes())


def _check_whole(space: SearchSpace, tables: Tables, fixed: float, path: str) -> None:
    """Refuse a table with lines missing."""
    held = {d for group in tables for d in group}
    alone = {
        (d,): np.full(space.num_options[d], np.nan)
        for d in range(space.num_decisions)
        if d not in held
    }
    missing = [
        _line(space, group, at)
        for group, ms in sorted((tables | alone).items())
        for at in itertools.product(*map(range, ms.shape))
        if np.isnan(ms[at])
    ] + ([FIXED] if np.isnan(fixed) else [])
    if missing:
        raise UserError(
            f"{path}: {len(missing)} lines are missing for the space {space.name!r}: "
            f"{', '.join(missing[:5])}{' ..' if len(missing) > 5 else ''}. Every "
            f"option of every decision needs one, and {FIXED}; write 0 for nothing."
        )


def _line(space: SearchSpace, group: tuple[int, ...], at: tuple[int, ...]) -> str:
    """Write what a line is of, for people."""
    taken = zip(group, at, strict=True)
    options = JOIN.join(str(space.decisions[d].options[o]) for d, o in taken)
    return f"{JOIN.join(space.names[d] for d in group)} {options}"


def _places(
    space: SearchSpace, name: str, option: str, where: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Find decisions and their options, in the order of the space."""
    names, options = name.split(JOIN), option.split(JOIN)
    if len(names) != len(options):
        raise UserError(
            f"{where}: {name} are {len(names)} decisions, {option} are {len(options)} "
            f"options; give one for each, with {JOIN} between."
        )
    pairs = [
        _place(space, n.strip(), o.strip(), where)
        for n, o in zip(names, options, strict=True)
    ]
    pairs.sort()
    group = tuple(d for d, _ in pairs)
    if len(set(group)) < len(group):
        raise UserError(f"{where}: {name} has a decision twice.")
    return group, tuple(o for _, o in pairs)


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

"""A table bound to a space: what a search may see of it, and what it may not.

Some seeds of the table decide; the mean of the others is what is reported, so that no
number both chooses an architecture and says how good it is. A look-up has no noise: the
same architecture always gives the same numbers.

Letters in shapes: P architectures, D decisions, N genotypes, S seeds.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from nas.errors import UserError, nearest
from nas.ranking.table import TruthTable
from nas.search.constraints import ENUMERATION_LIMIT, parse, total_violation
from nas.search.loop import Search
from supernets import Supernet

MEASURES = ("error", "nll")
REPORTED = "report_seeds"
# Architectures over which the spread of seeds is averaged, and normal quantile.
NEIGHBOURS, Z = 100, 1.96


@dataclasses.dataclass(frozen=True, eq=False)
class Lookup:
    """Numbers of every architecture of a space.

    Attributes:
      table: over the space, each architecture once.
      decide: places of the seeds by which a search decides.
      measured: `float64[P]` by measure, the mean over those seeds.
      known: `float64[P]` by name: what is known of an architecture without a look-up
        of its quality: counted costs, and the further columns of the table.
    """

    table: TruthTable
    decide: tuple[int, ...]
    measured: Mapping[str, np.ndarray]
    known: Mapping[str, np.ndarray]

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """What a look-up gives."""
        return (*self.measured, *self.known)

    @functools.cached_property
    def others(self) -> np.ndarray:
        """`int64[S - len(decide)]`, places of the seeds that are reported."""
        return np.setdiff1d(np.arange(len(self.table.seeds)), self.decide)

    def reported(self, measure: str = "error") -> np.ndarray:
        """Average a measure over the seeds that decide nothing.

        Args:
          measure: `error` or `nll`.

        Returns:
          `float64[P]`; NaN where there is no such seed.
        """
        return _mean(getattr(self.table, measure)[:, self.others])

    @functools.cached_property
    def left_out(self) -> int:
        """How many architectures have no seed to report, and so cannot be chosen."""
        return int(np.isnan(self.reported()).sum())

    def rows(self, genotypes: np.ndarray) -> np.ndarray:
        """Find architectures in the table.

        Args:
          genotypes: `int32[N, D]`, canonical.

        Returns:
          `int64[N]`.

        Raises:
          UserError: an architecture is not in the table.
        """
        contiguous = np.ascontiguousarray(genotypes, np.int32)
        found = [self._places.get(row.tobytes(), -1) for row in contiguous]
        rows = np.asarray(found, np.int64)
        if (rows < 0).any():
            raise UserError(
                f"{self.table.name}: architecture "
                f"{self.table.space.id(contiguous[rows.argmin()])} is not in the table."
            )
        return rows

    def evaluate(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Look architectures up: `int32[N, D]` -> `float64[N]` for each column."""
        rows = self.rows(genotypes)
        table = {**self.measured, **self.known}
        return {name: values[rows] for name, values in table.items()}

    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Give what is known beforehand: `int32[N, D]` -> `float64[N]` each."""
        rows = self.rows(genotypes)
        return {name: values[rows] for name, values in self.known.items()}

    def search(self, search: Search) -> Search:
        """Restrict a search to architectures that can be reported."""
        if not self.left_out:
            return search
        where = (*search.where, f"{REPORTED}>=1")
        return dataclasses.replace(search, where=where)

    def allowed(self, where: Sequence[str]) -> np.ndarray:
        """Say what a search may return.

        Args:
          where: constraints.

        Returns:
          `bool[P]`: which architectures meet them and can be reported.

        Raises:
          UserError: none does.
        """
        constraints = [parse(text, self.columns) for text in where]
        table = {**self.measured, **self.known}
        missed = total_violation(constraints, table, len(self.table))
        allowed = (missed == 0) & np.isfinite(self.reported())
        if not allowed.any():
            ends = ", ".join(
                f"{c.name} is from {table[c.name].min():g} to {table[c.name].max():g}"
                for c in constraints
            )
            raise UserError(
                f"{self.table.name}: no architecture of the table meets "
                f"{' '.join(f'--where {text!r}' for text in where)} ({ends}). Loosen "
                "the constraints."
            )
        return allowed

    def interval(self, row: int) -> tuple[float, float]:
        """Give a 95 % interval of an architecture's expected error over seeds.

        The few seeds of one architecture say little about their spread, so it is
        pooled over those nearest in error, whose seeds spread alike. That all were
        measured on the same examples is no part of it.

        Args:
          row: in the table.

        Returns:
          The lower and the upper end, fractions; the mean itself where no architecture
          has two seeds.
        """
        seeds = self.table.error[row, self.others]
        number = int(np.isfinite(seeds).sum())
        place = int(self._rank[row])
        begin = max(0, min(place - NEIGHBOURS // 2, len(self.table) - NEIGHBOURS))
        near = self._variance[self._order[begin : begin + NEIGHBOURS]]
        near = near[np.isfinite(near)]
        spread = float(np.sqrt(near.mean())) if len(near) else 0.0
        middle = float(_mean(seeds[None])[0])
        half = Z * spread / max(number, 1) ** 0.5
        return max(0.0, middle - half), min(1.0, middle + half)

    @functools.cached_property
    def _places(self) -> dict[bytes, int]:
        rows = np.ascontiguousarray(self.table.genotypes, np.int32)
        return {row.tobytes(): place for place, row in enumerate(rows)}

    @functools.cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.table.mean(), kind="stable")

    @functools.cached_property
    def _rank(self) -> np.ndarray:
        return np.argsort(self._order, kind="stable")

    @functools.cached_property
    def _variance(self) -> np.ndarray:
        """float64[P], of one training's error between seeds; NaN with one seed."""
        error = self.table.error
        number = np.isfinite(error).sum(1)
        squares = np.nansum((error - _mean(error)[:, None]) ** 2, axis=1)
        return np.where(number > 1, squares / np.maximum(number - 1, 1), np.nan)


def bind(
    table: TruthTable, supernet: Supernet, decide: Sequence[int], search: Search
) -> Lookup:
    """Bind a table to the space of a supernet, and refuse what cannot be searched.

    Args:
      table: of every architecture of the space.
      supernet: fitted to the data of the table; counts costs.
      decide: seeds of the table by which the search decides.
      search: what it asks for.

    Returns:
      The look-up.

    Raises:
      UserError: architectures or numbers that the search needs are missing; a seed or
        an objective is unknown.
    """
    table = table.for_space(supernet.space)
    canonical = np.asarray(table.space.canonical(table.genotypes), np.int32)
    table = dataclasses.replace(table, genotypes=canonical)
    _refuse_missing(table)
    places = _places_of(table, decide)
    measured = {
        name: np.asarray(getattr(table, name)[:, places], np.float64).mean(1)
        for name in MEASURES
    }
    known = {
        name: np.asarray(values, np.float64)
        for name, values in {**supernet.costs(table.genotypes), **table.columns}.items()
    }
    everything = measured | known
    wanted = {*search.objectives, *(_name(text, everything) for text in search.where)}
    for name in sorted(wanted):
        if name not in everything:
            raise UserError(
                f"{table.name}: nothing in the table is called {name!r}. "
                f"{nearest(name, _whole(everything))}"
            )
    for name in ("error", *sorted(wanted)):
        _refuse_gaps(table, name, everything[name])
    measured = {name: measured[name] for name in _whole(measured)}
    known = {name: known[name] for name in _whole(known)}
    others = np.setdiff1d(np.arange(len(table.seeds)), places)
    number = np.isfinite(table.error[:, others]).sum(1)
    if not number.any():
        raise UserError(
            f"{table.name}: no seed is left to report: the table has the seeds "
            f"{', '.join(map(str, table.seeds))}, and the search decides by "
            f"{', '.join(map(str, decide))}. Leave one out of --decide, or use a table "
            "of more seeds."
        )
    if not number.all():
        known[REPORTED] = number.astype(np.float64)
    return Lookup(table, places, measured, known)


def _mean(values: np.ndarray) -> np.ndarray:
    """float64[P], the mean of float64[P, S] over the seeds that there are."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(1)
    number = known.sum(1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _whole(columns: Mapping[str, np.ndarray]) -> list[str]:
    """Name the columns that have a number for every architecture."""
    return [name for name, values in columns.items() if np.isfinite(values).all()]


def _name(text: str, columns: Mapping[str, np.ndarray]) -> str:
    return parse(text, columns).name


def _places_of(table: TruthTable, decide: Sequence[int]) -> tuple[int, ...]:
    seeds = [int(seed) for seed in table.seeds]
    for seed in decide:
        if seed not in seeds:
            raise UserError(
                f"--decide {','.join(map(str, decide))}: {table.name} has no seed "
                f"{seed}. Allowed: {', '.join(map(str, seeds))}."
            )
    return tuple(seeds.index(seed) for seed in decide)


def _refuse_missing(table: TruthTable) -> None:
    """Refuse a table that lacks architectures, of which a search may ask for any."""
    space, missing = table.space, table.space.size - len(table)
    if not missing:
        return
    example = ""
    if space.size <= ENUMERATION_LIMIT:
        there = {row.tobytes() for row in table.genotypes.astype(np.int32)}
        lacking = (g for g in space.enumerate() if g.tobytes() not in there)
        example = f", such as {space.id(next(lacking))}"
    raise UserError(
        f"{table.name} has {len(table):,} architectures, but the space "
        f"{space.name!r} has {space.size:,}: {missing:,} are missing{example}. A "
        "search may ask for any of them. Use a table of the whole space, or an "
        "experiment whose space is that of the table."
    )


def _refuse_gaps(table: TruthTable, name: str, values: np.ndarray) -> None:
    """Refuse what is searched by if it is not a number for every architecture."""
    gaps = np.flatnonzero(~np.isfinite(values))
    if len(gaps):
        raise UserError(
            f"{table.name}: {name} of architecture "
            f"{table.space.id(table.genotypes[gaps[0]])} is {values[gaps[0]]}, and of "
            f"{len(gaps) - 1:,} others is no finite number either. Decide by other "
            "seeds or objectives, or mend the table."
        )

"""The archive: every architecture ever evaluated, once.

Its arrays have a fixed capacity, so that they go into a checkpoint as they are; the
index from genotype to row is rebuilt from them. All genotypes are canonical: two names
of one computation share a row.
"""

import csv
import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.errors import UserError, nearest
from nas.search.pareto import front_indices, hypervolume
from search_spaces import SearchSpace


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """What is known of the architectures of a space. A value: `add` returns another.

    Letters in shapes: C capacity, A rows in use, V columns.

    Attributes:
      space: where the genotypes come from.
      columns: what each value is, in order: `("nll", "error", "macs", ..)`.
      genotypes: int32[C, D], canonical; rows from A on are zero, as in all arrays.
      values: float64[C, V].
      search: int32[C], the search that evaluated the row: 0, 1, ..
      count: A.
    """

    space: SearchSpace
    columns: tuple[str, ...]
    genotypes: np.ndarray
    values: np.ndarray
    search: np.ndarray
    count: int
    _rows: dict[bytes, int] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the rows by genotype."""
        rows = {row.tobytes(): i for i, row in enumerate(self.genotypes[: self.count])}
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        """A, how many architectures were evaluated."""
        return self.count

    @classmethod
    def empty(
        cls, space: SearchSpace, columns: tuple[str, ...], capacity: int
    ) -> "Archive":
        """Make an archive without rows.

        Args:
          space: where the genotypes come from.
          columns: what is stored of each.
          capacity: C, how many rows there is room for.

        Returns:
          The archive.
        """
        return cls(
            space,
            columns,
            np.zeros((capacity, space.num_decisions), np.int32),
            np.zeros((capacity, len(columns)), np.float64),
            np.zeros(capacity, np.int32),
            0,
        )

    def state(self) -> dict[str, Any]:
        """Give the arrays as a pytree, for a checkpoint."""
        return {
            "genotypes": self.genotypes,
            "values": self.values,
            "search": self.search,
            "count": np.array(self.count, np.int32),
        }

    @classmethod
    def from_state(
        cls, space: SearchSpace, columns: tuple[str, ...], state: Mapping[str, Any]
    ) -> "Archive":
        """Make the archive whose `state` this is.

        Args:
          space: the space it was made for.
          columns: the columns it was made for.
          state: what `state` gave, arrays of numpy or JAX.

        Returns:
          The archive.

        Raises:
          ValueError: the arrays fit another space or other columns.
        """
        genotypes = np.ascontiguousarray(state["genotypes"], np.int32)
        values = np.asarray(state["values"], np.float64)
        found = (genotypes.shape[1], values.shape[1])
        if found != (space.num_decisions, len(columns)):
            raise ValueError(
                f"the archive's arrays hold {found[0]} decisions and {found[1]} "
                f"columns, but space {space.name!r} has {space.num_decisions} decisions"
                f" and the columns are {', '.join(columns)}: it belongs to another run"
            )
        search = np.asarray(state["search"], np.int32)
        return cls(space, columns, genotypes, values, search, int(state["count"]))

    @classmethod
    def read_csv(
        cls,
        path: Path,
        space: SearchSpace,
        columns: tuple[str, ...],
        before: int,
        costs: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None,
    ) -> "Archive":
        """Read the rows that earlier searches wrote.

        Args:
          path: what `write_csv` wrote.
          space: of the genotypes.
          columns: of the values.
          before: rows of this search and later ones are left out.
          costs: columns that need no evaluation, `int32[P, D] -> {name: number[P]}`;
            they are counted anew, as an earlier search may have kept no latency, or
            that of another device. None: the file must have every column.

        Returns:
          An archive without room to spare.

        Raises:
          UserError: the file is no archive of this space and these columns.
        """
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [r for r in csv.DictReader(file) if int(r["search"]) < before]
            texts = [row["genotype"].split() for row in rows]
            genotypes = np.array(texts, np.int32).reshape(-1, space.num_decisions)
            space.validate(genotypes)
            known = dict(costs(genotypes)) if costs and len(rows) else {}
            values = {
                name: np.asarray(known[name], np.float64)
                if name in known
                else np.array([float(row[name]) for row in rows])
                for name in columns
            }
            archive = cls.empty(space, columns, len(rows))
            for search in range(before):
                mine = np.array([int(row["search"]) == search for row in rows], bool)
                picked = {name: column[mine] for name, column in values.items()}
                archive = archive.add(space.validate(genotypes[mine]), picked, search)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{path} is no archive of space {space.name!r} with the columns "
                f"{', '.join(columns)}: {error}. Put back the file that the run wrote, "
                "or search in another workdir."
            ) from error
        return archive

    def grow(self, capacity: int) -> "Archive":
        """Make room for `capacity` rows, which must be no fewer than are in use."""
        larger = Archive.empty(self.space, self.columns, capacity)
        return larger._write(0, self.rows_in_use())

    def rows_in_use(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give genotypes int32[A, D], values float64[A, V] and searches int32[A]."""
        used = slice(self.count)
        return self.genotypes[used], self.values[used], self.search[used]

    def find(self, genotypes: np.ndarray) -> np.ndarray:
        """Find the rows of genotypes.

        Args:
          genotypes: int32[P, D], canonical or not.

        Returns:
          int64[P]; -1 where a genotype was never evaluated.
        """
        canonical = self._canonical(genotypes)
        return np.array([self._rows.get(g.tobytes(), -1) for g in canonical], np.int64)

    def missing(self, genotypes: np.ndarray) -> np.ndarray:
        """Give those genotypes that were never evaluated, canonical, each once.

        Args:
          genotypes: int32[P, D], canonical or not.

        Returns:
          int32[N, D], in the order of their first appearance.
        """
        canonical = self._canonical(genotypes)
        new = {g.tobytes(): g for g in canonical if g.tobytes() not in self._rows}
        return np.array(list(new.values()), np.int32).reshape(-1, canonical.shape[1])

    def lookup(self, genotypes: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
        """Give what is known of genotypes that were evaluated.

        Args:
          genotypes: int32[P, D], canonical or not.
          columns: which values.

        Returns:
          float64[P, len(columns)].

        Raises:
          ValueError: a genotype that was never evaluated, or an unknown column.
        """
        rows = self.find(genotypes)
        if (rows < 0).any():
            unknown = self.space.id(np.asarray(genotypes)[rows.argmin()])
            raise ValueError(
                f"architecture {unknown} was never evaluated: ask `missing` first"
            )
        return self.values[rows][:, self._places(columns)]

    def column(self, name: str) -> np.ndarray:
        """Give one column, float64[A], in the order of evaluation."""
        return self.values[: self.count, self._places((name,))[0]]

    def table(self) -> dict[str, np.ndarray]:
        """Give every column by name, each float64[A]."""
        return {name: self.column(name) for name in self.columns}

    def add(
        self, genotypes: np.ndarray, values: Mapping[str, np.ndarray], search: int
    ) -> "Archive":
        """Store the results of an evaluation.

        Args:
          genotypes: int32[N, D], none evaluated before, each once.
          values: an array [N] for each column; other keys are left out.
          search: the search that asked for it.

        Returns:
          The archive with N rows more.

        Raises:
          ValueError: a genotype is there already or twice, there is no room, or a
            column is missing or of another length.
        """
        canonical = self._canonical(genotypes)
        num = len(canonical)
        if len(self.missing(canonical)) != num:
            raise ValueError(
                "the archive evaluates no architecture twice: add what `missing` gave"
            )
        if self.count + num > len(self.genotypes):
            raise ValueError(
                f"{num} rows do not fit: {self.count} of {len(self.genotypes)} are in "
                "use; `grow` the archive first"
            )
        table = np.empty((num, len(self.columns)))
        for i, name in enumerate(self.columns):
            if name not in values or np.shape(values[name]) != (num,):
                found = np.shape(values[name]) if name in values else "nothing"
                raise ValueError(
                    f"column {name!r} needs one value for each of {num} architectures, "
                    f"found {found}"
                )
            table[:, i] = values[name]
        return self._write(
            self.count, (canonical, table, np.full(num, search, np.int32))
        )

    def front(
        self, objectives: tuple[str, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Find the Pareto front.

        Args:
          objectives: the columns that are minimised.
          mask: bool[A], which rows may be in it; None: all.

        Returns:
          int64[F], rows by ascending first objective.
        """
        rows = np.flatnonzero(np.ones(self.count, bool) if mask is None else mask)
        points = self.values[rows][:, self._places(objectives)]
        best = front_indices(points)
        return rows[best[np.lexsort(points[best].T[::-1])]]

    def hypervolumes(
        self,
        objectives: tuple[str, ...],
        reference: np.ndarray,
        scale: np.ndarray,
        mask: np.ndarray | None = None,
    ) -> np.ndarray:
        """Measure the hypervolume after each evaluation.

        Args:
          objectives: the M columns that are minimised.
          reference: float64[M], beyond which nothing counts.
          scale: float64[M], positive; one unit of volume in each objective.
          mask: bool[A], which rows count; None: all.

        Returns:
          float64[A], never falling.
        """
        points = self.values[: self.count, self._places(objectives)] / scale
        corner = np.asarray(reference, np.float64) / scale
        history = np.zeros(self.count)
        front = points[:0]
        volume = 0.0
        for i, point in enumerate(points):
            counts = mask is None or mask[i]
            if counts and not (front <= point).all(axis=1).any():
                front = np.vstack([front[~(point <= front).all(axis=1)], point])
                # Rounding must not make it fall.
                volume = max(volume, hypervolume(front, corner))
            history[i] = volume
        return history

    def write_csv(self, path: Path) -> None:
        """Write every row, by rename: a reader sees the old file or the new one.

        The columns are `search`, `id`, `genotype` (option indices between spaces) and
        the archive's own, as the shortest decimals that read back as the same float64.
        Nothing but the archive decides a byte of it.

        Args:
          path: the file to write.
        """
        partial = path.with_name(path.name + ".partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["search", "id", "genotype", *self.columns])
            for genotype, values, search in zip(*self.rows_in_use(), strict=True):
                indices = " ".join(str(i) for i in genotype.tolist())
                numbers = [repr(value) for value in values.tolist()]
                writer.writerow([search, self.space.id(genotype), indices, *numbers])
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def _write(
        self, begin: int, rows: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> "Archive":
        arrays = [self.genotypes.copy(), self.values.copy(), self.search.copy()]
        end = begin + len(rows[0])
        for array, new in zip(arrays, rows, strict=True):
            array[begin:end] = new
        return Archive(self.space, self.columns, *arrays, count=end)

    def _canonical(self, genotypes: np.ndarray) -> np.ndarray:
        rows = np.asarray(genotypes, np.int32)
        return np.ascontiguousarray(self.space.canonical(rows), np.int32)

    def _places(self, names: tuple[str, ...]) -> list[int]:
        for name in names:
            if name not in self.columns:
                raise ValueError(
                    f"the archive has no column {name!r}. {nearest(name, self.columns)}"
                )
        return [self.columns.index(name) for name in names]

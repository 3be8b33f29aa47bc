"""What a workdir holds, read without running anything.

Files may be missing, because a stage did not run yet, or damaged; either leaves a note
in place of its contents, so that a report says what it lacks.
"""

import contextlib
import csv
import dataclasses
import functools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.kinds import Words, words_of
from nas.errors import UserError
from nas.report.curves import Curve
from nas.report.front_figure import cost_of
from nas.runtime.metrics import read_scalars
from nas.runtime.workdir import Workdir
from nas.search.archive import Archive
from nas.search.constraints import parse, total_violation
from search_spaces import SearchSpace
from search_spaces.errors import SpaceError

# A corner in which the worst tenth does not count: a few failures would flatten all.
CORNER_QUANTILE = 0.9


@dataclasses.dataclass(frozen=True)
class Record:
    """The files of a workdir.

    Attributes:
      config: `config.json`.
      space: the search space in it, or None.
      curves: steps and values of each scalar of `metrics.jsonl`.
      archive: every architecture evaluated, or None.
      front: the entries of `front.json`.
      cards: `card.json` of each exported subnet, by id.
      parities: `parity.json` of each.
      files: names of the files of each.
      rank: `rank.json`, or None.
      ranked: the numeric columns of `rank.csv`, `float64[P]` each; often empty.
      refinements: of `partition.json`, how the supernet was split; often empty.
      notes: what is missing or damaged, a sentence each.
    """

    config: dict[str, Any]
    space: SearchSpace | None
    curves: dict[str, Curve]
    archive: Archive | None
    front: list[dict[str, Any]]
    cards: dict[str, dict[str, Any]]
    parities: dict[str, dict[str, Any]]
    files: dict[str, tuple[str, ...]]
    rank: dict[str, Any] | None
    ranked: dict[str, np.ndarray]
    refinements: list[dict[str, Any]]
    notes: tuple[str, ...]

    @property
    def objectives(self) -> tuple[str, ...]:
        """What the latest search minimised, as far as the archive knows it."""
        wanted = tuple(at(self.config, "search", "objectives") or ())
        known = self.archive.columns if self.archive else wanted
        return tuple(name for name in wanted if name in known)

    @property
    def words(self) -> Words:
        """What people call the examples."""
        return words_of(at(self.config, "inputs"))

    @property
    def cost(self) -> str:
        """The cost that the latest search minimised first, or else `macs`."""
        return cost_of(self.objectives)

    @functools.cached_property
    def feasible(self) -> np.ndarray:
        """`bool[A]`: which architectures meet the latest search's constraints."""
        if self.archive is None:
            return np.zeros(0, bool)
        everything = np.ones(len(self.archive), bool)
        try:
            limits = [
                parse(text, self.archive.columns)
                for text in at(self.config, "search", "where") or ()
            ]
        except UserError:
            return everything
        table = self.archive.table()
        return everything & (total_violation(limits, table, len(everything)) == 0)

    @functools.cached_property
    def searched_front(self) -> np.ndarray:
        """`int64[F]`: rows of the archive on the front, on the search split."""
        if self.archive is None or not self.objectives or not self.feasible.any():
            return np.zeros(0, np.int64)
        return self.archive.front(self.objectives, self.feasible)

    @functools.cached_property
    def hypervolumes(self) -> dict[str, Curve]:
        """The hypervolume over each search's evaluations, all in the same box.

        A search starts with what those before it had found. One unit of volume is the
        box between the best value of each objective and the value that a tenth exceed.
        """
        if self.archive is None or not self.objectives or not self.feasible.any():
            return {}
        points = self.archive.lookup(
            self.archive.genotypes[: len(self.archive)][self.feasible], self.objectives
        )
        best, corner = points.min(0), np.quantile(points, CORNER_QUANTILE, axis=0)
        scale = np.where(corner > best, corner - best, 1.0)
        corner = np.where(corner > best, corner, best + 1.0)
        volumes = self.archive.hypervolumes(
            self.objectives, corner, scale, self.feasible
        )
        _, _, numbers = self.archive.rows_in_use()
        curves = {}
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            before = float(volumes[rows[0] - 1]) if rows[0] else 0.0
            values = np.insert(volumes[rows], 0, before)
            curves[f"search {number}"] = (np.arange(len(values)), values)
        return curves

    @functools.cached_property
    def shares(self) -> dict[str, dict[str, float]]:
        """How often training took each option: a fraction, by decision and option."""
        found: dict[str, dict[str, float]] = {}
        for name, (_, values) in self.curves.items():
            kind, _, rest = name.partition("/")
            decision, slash, option = rest.partition("/")
            if kind == "sampler" and slash:
                found.setdefault(decision, {})[option] = float(values[-1])
        return found


def at(value: Any, *path: str) -> Any:
    """Follow keys into nested mappings; None where the way ends."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def read_record(workdir: str | os.PathLike[str]) -> Record:
    """Read a workdir.

    Args:
      workdir: the folder of a run; it is neither changed nor locked.

    Returns:
      What it holds.

    Raises:
      UserError: there is no such folder, or it holds no `config.json`.
    """
    folder = Workdir(workdir, exclusive=False)
    config = folder.read_config()
    notes: list[str] = []
    space = _find_space(config)
    front = _json(folder.front, list, "no front was measured yet", notes) or []
    front = [entry for entry in front if _is_entry(entry)]
    ids = [entry["id"] for entry in front]
    subnets = {i: folder.subnets / i for i in ids if (folder.subnets / i).is_dir()}
    if front and not subnets:
        notes.append("No network was exported yet.")
    cards = {
        i: _json(path / "card.json", dict, "", notes) for i, path in subnets.items()
    }
    parities = {
        i: _json(path / "parity.json", dict, "", notes) for i, path in subnets.items()
    }
    return Record(
        config=config,
        space=space,
        curves=_read_curves(folder.metrics, notes),
        archive=_read_archive(folder.archive, space, notes),
        front=front,
        cards={i: card for i, card in cards.items() if card},
        parities={i: parity for i, parity in parities.items() if parity},
        files={
            i: tuple(sorted(f.name for f in path.iterdir() if f.is_file()))
            for i, path in subnets.items()
        },
        rank=_json(folder.rank, dict, "", notes),
        ranked=_read_ranked(folder.rank.with_suffix(".csv"), notes),
        refinements=at(_json(folder.partition, dict, "", notes), "refinements") or [],
        notes=tuple(notes),
    )


def _json(path: Path, kind: type, absent: str, notes: list[str]) -> Any:
    if not path.exists():
        if absent:
            notes.append(f"There is no {path.name}: {absent}.")
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        notes.append(f"{path.name} cannot be read: {error}.")
        return None
    if not isinstance(value, kind):
        notes.append(f"{path.name} holds something else than it should.")
        return None
    return value


def _is_entry(entry: Any) -> bool:
    """Whether something is an entry of `front.json`, with a file-safe id."""
    name = at(entry, "id")
    safe = isinstance(name, str) and name not in ("", ".", "..")
    return (
        safe
        and Path(name).name == name
        and isinstance(at(entry, "objectives"), Mapping)
    )


def curves_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Curve]:
    """Sort the lines of a log by scalar.

    Args:
      rows: `step`, `name` and `value` of each, as `read_scalars` gives them.

    Returns:
      Steps and values by name.
    """
    points: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        points.setdefault(row["name"], []).append((row["step"], row["value"]))
    return {
        name: (np.array([s for s, _ in pairs]), np.array([v for _, v in pairs]))
        for name, pairs in points.items()
    }


def _read_curves(path: Path, notes: list[str]) -> dict[str, Curve]:
    if not path.exists():
        notes.append("There is no metrics.jsonl: nothing was trained yet.")
        return {}
    try:
        rows = read_scalars(path)
    except (OSError, UserError) as error:
        notes.append(f"metrics.jsonl cannot be read: {error}")
        return {}
    return curves_of(rows)


def read_ranked(path: Path) -> dict[str, np.ndarray]:
    """Read the numeric columns of `rank.csv`.

    Args:
      path: the file.

    Returns:
      `float64[P]` by name; a column that holds anything else is left out.

    Raises:
      ValueError: a line is longer or shorter than the first.
    """
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    columns = {}
    for name, texts in zip(names, zip(*rows, strict=True), strict=True):
        # An empty cell is a number that nobody measured.
        with contextlib.suppress(ValueError):
            columns[name] = np.array([float(text or "nan") for text in texts])
    return columns


def _read_ranked(path: Path, notes: list[str]) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    try:
        return read_ranked(path)
    except (OSError, ValueError) as error:
        notes.append(f"{path.name} cannot be read: {error}.")
        return {}


def _read_archive(
    path: Path, space: SearchSpace | None, notes: list[str]
) -> Archive | None:
    if not path.exists():
        notes.append("There is no archive.csv: nothing was searched yet.")
        return None
    if space is None:
        notes.append("config.json names no search space, so archive.csv is left out.")
        return None
    try:
        with path.open(encoding="utf-8") as file:
            columns = tuple(file.readline().strip().split(",")[3:])
            last = max((int(line.partition(",")[0]) for line in file), default=-1)
        archive = Archive.read_csv(path, space, columns, before=last + 1)
    except (OSError, ValueError) as error:
        notes.append(f"archive.csv cannot be read: {error}")
        return None
    return archive if len(archive) else None


def _find_space(value: Any) -> SearchSpace | None:
    """Find the search space anywhere in the settings; the supernet's comes first."""
    if isinstance(value, Mapping):
        if "decisions" in value and "schema" in value:
            try:
                return SearchSpace.from_json(value)
            except (SpaceError, KeyError, TypeError):
                return None
        children = [value[key] for key in sorted(value, key=lambda k: k != "supernet")]
    else:
        children = list(value) if isinstance(value, list) else []
    return next((s for s in map(_find_space, children) if s is not None), None)

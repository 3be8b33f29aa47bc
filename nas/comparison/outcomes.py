"""What finished runs came to, read from their folders without running anything."""

import collections
import csv
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.comparison.budgets import Budget, Curve, read_budget
from nas.comparison.quantities import QUANTITIES, SCALAR_OF, number
from nas.comparison.spending import CHARGED, spent
from nas.errors import UserError
from nas.runtime.metrics import read_scalars
from nas.runtime.workdir import Workdir
from nas.search.constraints import parse, total_violation

PLAN, DONE = "sweep.json", "done.json"
CEILING = "another seed of the truth"
_SEED = "seed_"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One finished run.

    Attributes:
      variant: the method.
      seed: of the experiment.
      folder: where it is.
      values: final numbers, by the name of a quantity.
      curves: steps and values of each scalar.
      budget: what it used up.
      space: the hash of its search space, None if it is unknown.
      truth: the hash of what it was ranked against, None without a ranking.
      references: taus of what trains nothing, by name, the best first; last what
        another seed of the truth reaches.
      front: objectives of the front's members by name, on the report split.
      objectives: which of them the search minimised.
      evaluated: `float64[A, M]`, the objectives of what was evaluated, in order;
        infinite where it may not be chosen; None without a search.
      spent: `float64[A]`, how much of the budget was used up by then.
    """

    variant: str
    seed: int
    folder: Path
    values: Mapping[str, float]
    curves: Mapping[str, Curve]
    budget: Budget
    space: str | None
    truth: str | None
    references: Mapping[str, float]
    front: tuple[Mapping[str, float], ...] = ()
    objectives: tuple[str, ...] = ()
    evaluated: np.ndarray | None = None
    spent: np.ndarray | None = None


def find_outcomes(folders: Sequence[Path]) -> tuple[list[Outcome], list[str]]:
    """Read runs, and the runs of sweeps.

    Args:
      folders: workdirs of runs, and folders of sweeps.

    Returns:
      The finished runs, seeds of a method together, methods in the order in which they
      were planned; and what was left out, a sentence each.

    Raises:
      UserError: a folder is of neither, or two runs are of the same method and seed.
    """
    found: list[tuple[Path, Outcome]] = []
    notes: list[str] = []
    for folder in folders:
        for variant, path in _runs(folder):
            outcome = _read(path, variant, notes)
            if outcome is not None:
                found.append((folder, outcome))
    outcomes = _distinct(found, len(folders) > 1)
    order = {
        name: k for k, name in enumerate(dict.fromkeys(o.variant for o in outcomes))
    }
    return sorted(outcomes, key=lambda o: (order[o.variant], o.seed)), notes


def check_comparable(outcomes: Sequence[Outcome]) -> None:
    """Refuse rankings over different architectures, which say nothing side by side.

    Raises:
      UserError: ranked runs are of different spaces, or of different truths.
    """
    ranked = [
        outcome for outcome in outcomes if outcome.truth or "tau" in outcome.values
    ]
    for what, key in (
        ("search spaces", lambda o: o.space),
        ("truths, which are other samples of architectures", lambda o: o.truth),
    ):
        groups: dict[Any, Outcome] = {}
        for outcome in ranked:
            groups.setdefault(key(outcome), outcome)
        if len(groups) > 1:
            named = "; ".join(
                f"{outcome.folder} ({name})" for name, outcome in groups.items()
            )
            raise UserError(
                f"The rankings are of different {what}: {named}. A tau depends on its "
                "sample. Compare runs against the same truth, each group by itself."
            )


def final_values(
    rank: Mapping[str, Any] | None,
    curves: Mapping[str, Curve],
    front: Sequence[Mapping[str, Any]],
) -> dict[str, float]:
    """Collect the numbers that a run ended with.

    Args:
      rank: `rank.json`, None without one. What depends on how architectures are
        ordered stands in `by`, a mapping from `nll` and `error`.
      curves: steps and values of each scalar.
      front: `front.json`, empty without one.

    Returns:
      Finite numbers by the name of a quantity.
    """
    by = _mapping(rank, "by")
    nll, error = _mapping(by, "nll"), _mapping(by, "error")
    top = {**(rank or {}), **nll}
    wanted: dict[str, Any] = {q.name: top.get(q.name) for q in QUANTITIES if q.ranks}
    wanted["tau_error"] = error.get("tau")
    wanted["beyond_copy"] = _mapping(top, "partial_tau").get("beyond_copy")
    for name, scalar in SCALAR_OF.items():
        if scalar in curves and len(curves[scalar][1]):
            wanted[name] = float(curves[scalar][1][-1])
    errors = [number(_mapping(entry, "objectives").get("error")) for entry in front]
    wanted["front_error"] = min((e for e in errors if e is not None), default=None)
    numbers = {name: number(value) for name, value in wanted.items()}
    return {name: value for name, value in numbers.items() if value is not None}


def _runs(folder: Path) -> list[tuple[str, Path]]:
    """List (method, workdir) of a folder: those planned, or the one that it is."""
    if (folder / PLAN).is_file():
        plan = _json(folder / PLAN, dict)
        try:
            return [
                (str(variant), folder / variant / f"{_SEED}{int(seed)}")
                for variant in plan["variants"]
                for seed in plan["seeds"]
            ]
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{folder / PLAN} lacks `variants` or `seeds`. Put back the file that "
                "nas sweep wrote, or run the sweep again."
            ) from None
    if (folder / "config.json").is_file():
        own = folder.absolute()
        named = own.parent.name if own.name.startswith(_SEED) else own.name
        return [(named, folder)]
    there = "is no folder of a run or a sweep" if folder.is_dir() else "does not exist"
    raise UserError(
        f"{folder} {there}: it holds neither config.json nor {PLAN}. Give the "
        "--workdir of nas sweep, or of single runs."
    )


def _read(path: Path, variant: str, notes: list[str]) -> Outcome | None:
    """Read a run; one that is not finished leaves a note instead."""
    if not (path / "config.json").is_file():
        notes.append(f"{path} was not run yet.")
        return None
    folder = Workdir(path, exclusive=False)
    config = folder.read_config()
    curves = _curves(folder.metrics)
    training = _mapping(config, "training")
    trained = curves.get("train/loss", (np.zeros(1), np.zeros(1)))[0][-1]
    if not (path / DONE).is_file() and trained < training.get("steps", 0):
        notes.append(
            f"{path} is left out: it is at step {int(trained)} of {training['steps']}."
        )
        return None
    rank = _json(folder.rank, dict) if folder.rank.is_file() else None
    front = _json(folder.front, list) if folder.front.is_file() else []
    measured = [dict(_mapping(entry, "objectives")) for entry in front]
    wanted = tuple(_mapping(config, "search").get("objectives") or ())
    rows = _rows(folder.archive)
    return Outcome(
        variant=variant,
        seed=int(config.get("seed", 0)),
        folder=path,
        values=final_values(rank, curves, front),
        curves=curves,
        budget=read_budget(curves, training.get("batch_size")),
        space=config.get("space_hash"),
        truth=_truth(rank),
        references=_references(rank),
        front=tuple(member for member in measured if member),
        objectives=wanted,
        evaluated=_evaluated(rows, wanted, _mapping(config, "search")),
        spent=spent(
            np.array([int(row.get("search") or 0) for row in rows]), curves.get(CHARGED)
        ),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    """Read what was evaluated, in order; nothing without a search."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _evaluated(
    rows: Sequence[Mapping[str, str]],
    objectives: Sequence[str],
    search: Mapping[str, Any],
) -> np.ndarray | None:
    """Give the objectives; None if nothing was evaluated, or not by these."""
    if not rows or not objectives:
        return None
    try:
        points = [[float(row[name]) for name in objectives] for row in rows]
        constraints = [parse(text, rows[0]) for text in search.get("where") or ()]
        table = {
            c.name: np.array([float(r[c.name]) for r in rows]) for c in constraints
        }
    except (KeyError, ValueError, TypeError, IndexError):
        return None
    missed = total_violation(constraints, table, len(rows)) > 0
    return np.where(missed[:, None], np.inf, np.array(points, np.float64))


def _truth(rank: Mapping[str, Any] | None) -> str | None:
    """Say what a ranking is against: the truth's hash, and of how many architectures.

    Without a hash it is all that is said of where the truth comes from.
    """
    if rank is None:
        return None
    truth = rank.get("truth")
    named = _mapping(rank, "truth").get("hash") or json.dumps(truth, sort_keys=True)
    return f"{named}, {rank.get('n')} architectures"


def _references(rank: Mapping[str, Any] | None) -> dict[str, float]:
    """Give the taus of what trains nothing, the best first, and of the truth itself.

    Baselines that were fitted to a part of the truth are held against another part, so
    they are left out.
    """
    entries = _mapping(rank, "baselines")
    num = (rank or {}).get("n")
    same = {
        str(name): number(entry)
        for name, entry in entries.items()
        if not isinstance(entry, Mapping) or entry.get("n", num) == num
    }
    found = {name: tau for name, tau in same.items() if tau is not None}
    best = dict(sorted(found.items(), key=lambda item: -item[1]))
    ceiling = _mapping(rank, "ceiling").get("seed_to_seed")
    return best if ceiling is None else best | {CEILING: float(ceiling)}


def _curves(path: Path) -> dict[str, Curve]:
    points: dict[str, list[tuple[int, float]]] = collections.defaultdict(list)
    for row in read_scalars(path) if path.is_file() else []:
        points[row["name"]].append((row["step"], row["value"]))
    return {
        name: (np.array([s for s, _ in pairs]), np.array([v for _, v in pairs]))
        for name, pairs in points.items()
    }


def _distinct(found: Iterable[tuple[Path, Outcome]], several: bool) -> list[Outcome]:
    """Tell methods of several folders apart that have the same name."""
    pairs = list(found)
    owners = collections.defaultdict(set)
    for folder, outcome in pairs:
        owners[outcome.variant, outcome.seed].add(folder)
    outcomes = [outcome for _, outcome in pairs]
    if several and any(len(folders) > 1 for folders in owners.values()):
        outcomes = [
            dataclasses.replace(o, variant=f"{folder.absolute().name}/{o.variant}")
            for folder, o in pairs
        ]
    seen: dict[tuple[str, int], Outcome] = {}
    for outcome in outcomes:
        other = seen.setdefault((outcome.variant, outcome.seed), outcome)
        if other is not outcome:
            raise UserError(
                f"{other.folder} and {outcome.folder} are both {outcome.variant} with "
                f"seed {outcome.seed}. Give one of them."
            )
    return outcomes


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(value, kind):
        raise UserError(
            f"{path} holds a {type(value).__name__}, not a {kind.__name__}."
        )
    return value

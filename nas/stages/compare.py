"""Compare finished runs: tables paired by seed, curves, budgets side by side."""

import collections
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nas.comparison.budgets import TITLES
from nas.comparison.fronts import common_growths, common_hypervolumes
from nas.comparison.intervals import Interval, student
from nas.comparison.made import how_made
from nas.comparison.outcomes import Outcome, check_comparable, find_outcomes
from nas.comparison.pairing import choose_baseline, pair, unpaired
from nas.comparison.quantities import QUANTITIES, Quantity, by_name
from nas.comparison.result import GROWTH, Comparison, to_record
from nas.errors import UserError, nearest
from nas.runtime.workdir import write_json_atomic, write_text_atomic


def compare(
    folders: Sequence[str | os.PathLike[str]],
    baseline: str | None = None,
    quantities: Sequence[str] = (),
) -> Comparison:
    """Compare runs.

    Args:
      folders: workdirs of runs, and folders of sweeps.
      baseline: the method to compare with; `uniform`, or the first, unless given.
      quantities: names of `QUANTITIES`; all that runs have unless given.

    Returns:
      What there is to say.

    Raises:
      UserError: a folder is of no run, nothing is finished, the rankings are of
        different truths, or a name is unknown.
    """
    wanted = _wanted(quantities)
    outcomes, notes = find_outcomes([Path(folder) for folder in folders])
    outcomes = _with_growths(_with_hypervolumes(outcomes), notes)
    if not outcomes:
        raise UserError(
            f"No run of {', '.join(map(str, folders))} is finished. {' '.join(notes)}"
        )
    check_comparable(outcomes)
    variants = tuple(dict.fromkeys(outcome.variant for outcome in outcomes))
    try:
        chosen = choose_baseline(variants, baseline)
    except ValueError as error:
        raise UserError(f"--baseline: {error}") from None
    tables = {}
    for quantity in wanted:
        values = _values(outcomes, variants, quantity.name)
        if any(values.values()):
            tables[quantity.name] = pair(values, chosen, quantity.better)
            notes += [f"{quantity.title}: {n}" for n in unpaired(values, chosen)]
    if not tables:
        raise UserError(
            f"No finished run has {', '.join(q.name for q in wanted)}. Rankings need "
            "the stage rank, a front the stage search."
        )
    if any(sum(o.variant == name for o in outcomes) < 2 for name in variants):
        notes.append("A method with fewer than 2 seeds has no interval.")
    return Comparison(
        folders=tuple(str(folder) for folder in folders),
        variants=variants,
        baseline=chosen,
        tables=tables,
        budgets=_budgets(outcomes),
        references=_references(outcomes),
        outcomes=tuple(outcomes),
        notes=tuple(dict.fromkeys(notes)),
        made=tuple(how_made([Path(folder) for folder in folders])),
    )


def write_comparison(
    found: Comparison, out: str | os.PathLike[str], budget: str = "examples"
) -> list[Path]:
    """Write `compare.json`, `compare.html`, and its first figures as PNG.

    Args:
      found: the comparison.
      out: a folder; made unless it exists.
      budget: what curves run along, a name of `TITLES`.

    Returns:
      The files.

    Raises:
      UserError: the folder cannot be made.
      StorageError: the disk refuses.
    """
    from nas.report.compare_page import comparison_figures, comparison_page
    from nas.report.style import write_figure

    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}.") from None
    record, page = folder / "compare.json", folder / "compare.html"
    write_json_atomic(record, to_record(found))
    figures = comparison_figures(found, budget)
    files = [record, page]
    first = next(iter(found.tables))
    for name, called in (
        ("curves", "curves"),
        ("growths", "growths"),
        (first, "paired"),
    ):
        if name in figures:
            files.append(folder / f"compare_{called}.png")
            write_figure(figures[name], str(files[-1]))
    write_text_atomic(page, comparison_page(found, figures))
    return files


def _wanted(names: Sequence[str]) -> list[Quantity]:
    known = by_name()
    for name in names:
        if name not in known:
            raise UserError(
                f"--quantity {name}: there is no such number. {nearest(name, known)}"
            )
    return [known[name] for name in names] if names else list(QUANTITIES)


def _values(
    outcomes: Sequence[Outcome], variants: Sequence[str], name: str
) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {variant: {} for variant in variants}
    for outcome in outcomes:
        if name in outcome.values:
            found[outcome.variant][outcome.seed] = outcome.values[name]
    return found


def _with_hypervolumes(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Measure fronts in one box, where all were searched for the same."""
    searched = [o for o in outcomes if o.front and o.objectives]
    objectives = {o.objectives for o in searched}
    known = all(
        name in member for o in searched for member in o.front for name in o.objectives
    )
    if len(objectives) != 1 or not known:
        return list(outcomes)
    volumes = common_hypervolumes([o.front for o in searched], objectives.pop())
    by_folder = dict(zip([o.folder for o in searched], volumes, strict=True))
    return [
        dataclasses.replace(o, values={**o.values, "hypervolume": by_folder[o.folder]})
        if o.folder in by_folder
        else o
        for o in outcomes
    ]


def _with_growths(outcomes: Sequence[Outcome], notes: list[str]) -> list[Outcome]:
    """Measure fronts as they grew in one box, and at equal budgets."""
    searched = [
        o
        for o in outcomes
        if o.evaluated is not None and np.isfinite(o.evaluated).all(axis=1).any()
    ]
    if not searched or len({o.objectives for o in searched}) != 1:
        return list(outcomes)
    growths = common_growths([o.evaluated for o in searched if o.evaluated is not None])
    budgets = [o.spent for o in searched if o.spent is not None]
    ends = [float(at[-1]) for at in budgets]
    equal = min(ends)
    if max(ends) > equal:
        notes.append(
            f"Searches are of {equal:.0f} to {max(ends):.0f} evaluations, with what "
            f"controllers were charged besides; growth is compared after {equal:.0f}, "
            "the hypervolume of fronts as they ended."
        )
    grown = {
        o.folder: dataclasses.replace(
            o,
            values={
                **o.values,
                GROWTH: float(np.append(0, growth)[(at <= equal).sum()]),
            },
            curves={**o.curves, GROWTH: (at, growth)},
        )
        for o, at, growth in zip(searched, budgets, growths, strict=True)
    }
    return [grown.get(o.folder, o) for o in outcomes]


def _latest(at: np.ndarray, growth: np.ndarray, budget: float) -> float:
    """Give the volume that was reached within a budget; 0 before anything was."""
    return float(np.append(0, growth)[(at <= budget).sum()])


def _budgets(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Interval]]:
    """Average what each method used up, over its seeds."""
    amounts: dict[str, dict[str, list[float]]] = {}
    for outcome in outcomes:
        own = amounts.setdefault(outcome.variant, collections.defaultdict(list))
        for name in TITLES:
            total = outcome.budget.total(name)
            if total is not None:
                own[name].append(total)
    return {
        variant: {name: student(values) for name, values in own.items()}
        for variant, own in amounts.items()
    }


def _references(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Average numbers that do not depend on the method; they may on the seed's data."""
    found: dict[str, list[float]] = collections.defaultdict(list)
    for outcome in outcomes:
        for name, value in outcome.references.items():
            found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}

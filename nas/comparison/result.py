"""What a comparison found, and how it is written down."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nas.comparison.bands import Band, band
from nas.comparison.intervals import METHOD, Interval
from nas.comparison.outcomes import Outcome
from nas.comparison.pairing import Row
from nas.comparison.quantities import by_name

# The first of these that runs logged is drawn along the budget.
CURVES = ("rank/tau_nll", "train/loss")
# Under this name outcomes keep the hypervolume after each evaluation, in one box.
GROWTH = "growth"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
      folders: what was compared.
      variants: the methods, in order.
      baseline: the one that the others are compared with.
      tables: rows by quantity, those quantities that runs have.
      budgets: means over seeds by method and by the names of `TITLES`.
      references: numbers that no training changes, by name, such as a baseline's tau.
      outcomes: the runs.
      notes: what was left out, a sentence each.
      made: by which commands the runs were made, when and where; JSON values.
    """

    folders: tuple[str, ...]
    variants: tuple[str, ...]
    baseline: str | None
    tables: Mapping[str, list[Row]]
    budgets: Mapping[str, Mapping[str, Interval]]
    references: Mapping[str, float]
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    made: tuple[Mapping[str, Any], ...] = ()


def bands_of(found: Comparison, scalar: str, budget: str) -> dict[str, Band]:
    """Give a scalar along a budget, averaged over the seeds of each method.

    Args:
      found: the comparison.
      scalar: a name of `metrics.jsonl`.
      budget: a name of `TITLES`.

    Returns:
      Methods that logged the scalar and know the budget, in order.
    """
    curves: dict[str, dict[int, Any]] = {name: {} for name in found.variants}
    for outcome in found.outcomes:
        if scalar not in outcome.curves:
            continue
        steps, values = outcome.curves[scalar]
        at = outcome.budget.at(budget, steps)
        if at is not None:
            curves[outcome.variant][outcome.seed] = (at, values)
    found_bands = {name: band(seeds) for name, seeds in curves.items() if seeds}
    return {name: made for name, made in found_bands.items() if made is not None}


def growths_of(found: Comparison) -> dict[str, Band]:
    """Give the hypervolume along the search's budget, averaged over seeds.

    Args:
      found: the comparison.

    Returns:
      Methods that were searched, in order; empty where searches are of different
      objectives.
    """
    bands = {
        name: band(
            {
                o.seed: o.curves[GROWTH]
                for o in found.outcomes
                if o.variant == name and GROWTH in o.curves
            }
        )
        for name in found.variants
        if any(o.variant == name and GROWTH in o.curves for o in found.outcomes)
    }
    return {name: made for name, made in bands.items() if made is not None}


def drawn_curve(found: Comparison) -> str | None:
    """Give the scalar that is drawn along the budget, None if nothing was logged."""
    logged = {name for outcome in found.outcomes for name in outcome.curves}
    return next((name for name in CURVES if name in logged), None)


def to_record(found: Comparison) -> dict[str, Any]:
    """Write a comparison as JSON values, with the values of every seed."""
    return {
        "folders": list(found.folders),
        "made": [dict(made) for made in found.made],
        "baseline": found.baseline,
        "intervals": METHOD,
        "quantities": {
            name: {
                "title": by_name()[name].title,
                "better": "higher" if by_name()[name].better > 0 else "lower",
                "variants": {row.variant: _row(row) for row in rows},
            }
            for name, rows in found.tables.items()
        },
        "budgets": {
            variant: {name: i._asdict() for name, i in amounts.items()}
            for variant, amounts in found.budgets.items()
        },
        "references": dict(found.references),
        "notes": list(found.notes),
    }


def _row(row: Row) -> dict[str, Any]:
    difference = None
    if row.difference is not None:
        difference = row.difference._asdict() | {
            "seeds": list(row.paired),
            "wins": row.wins,
            "losses": row.losses,
        }
    return {
        "by_seed": {str(s): v for s, v in zip(row.seeds, row.values, strict=True)},
        "mean": row.mean._asdict(),
        "minus_baseline": difference,
    }

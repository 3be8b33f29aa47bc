"""Many searches of each controller in few numbers: medians, quartiles, differences."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.benchmarks.blocks import bootstrap

GRID_STEP = 10
BASELINE = "random"
# A value is better when it is lower, but for the hypervolume.
HIGHER = ("hypervolume",)
Lines = Sequence[Mapping[str, Any]]
"""Of each seed, in order: its seconds and its curves."""


def fields_of(controllers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the settings of each controller by name, for the record."""
    return {name: dataclasses.asdict(c) for name, c in controllers.items()}


def summarise(
    found: Mapping[str, Mapping[str, Lines]], evaluations: int
) -> dict[str, Any]:
    """Sum up the searches of every task.

    Args:
      found: lines by task and controller.
      evaluations: the budget.

    Returns:
      `grid`, `quantities` (by task, quantity and controller) and `tables` to print.
    """
    quantities: dict[str, Any] = {}
    tables = {}
    for task, by_controller in found.items():
        names = [
            name
            for name in next(iter(by_controller.values()))[0]
            if name not in ("seed", "seconds", "table")
        ]
        quantities[task] = {}
        for name in names:
            curves = {
                controller: np.array([line[name] for line in lines])
                for controller, lines in by_controller.items()
            }
            each = {
                controller: summary(values, curves.get(BASELINE), name)
                for controller, values in curves.items()
            }
            for controller, lines in by_controller.items():
                seconds = float(np.median([line["seconds"] for line in lines]))
                each[controller]["ms_per_evaluation"] = 1e3 * seconds / evaluations
            quantities[task][name] = each
            tables[f"{task}: {name} after {evaluations} look-ups"] = rows(each)
    grid = list(range(GRID_STEP, evaluations + 1, GRID_STEP))
    return {"grid": grid, "quantities": quantities, "tables": tables}


def summary(
    values: np.ndarray, baseline: np.ndarray | None, name: str
) -> dict[str, Any]:
    """Sum up the seeds of one controller.

    Args:
      values: `float64[N, G]`, a curve of each seed.
      baseline: the same of random search, None without it.
      name: of the quantity, which says what is better.

    Returns:
      Median and quartiles at the grid, the mean at its end, the share of seeds that
      found the `best` there is, and the paired difference from random search at the
      middle of the grid and its end.
    """
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    found = {
        "median": _rounded(median),
        "low": _rounded(low),
        "high": _rounded(high),
        "mean": float(values[:, -1].mean()),
        "best": float(_is_best(values[:, -1], name in HIGHER).mean()),
    }
    if baseline is not None:
        places = {"middle": values.shape[1] // 2 - 1, "end": values.shape[1] - 1}
        found["minus_random"] = {
            when: difference(values[:, at] - baseline[:, at], name in HIGHER)
            for when, at in places.items()
        }
    return found


def _is_best(values: np.ndarray, higher: bool) -> np.ndarray:
    """bool[N]: whether nothing better is possible, up to the digits that are kept."""
    return values > 1 - 1e-5 if higher else values < 1e-7


def difference(each: np.ndarray, higher: bool) -> dict[str, float]:
    """Give the mean of paired differences with its interval, and how many are better.

    Args:
      each: `float64[N]`.
      higher: whether a higher value is better.

    Returns:
      `mean`, `low` and `high` (95 %), and the share of pairs that are `better`.
    """
    low, high = bootstrap(each, np.mean)
    better = float(((each > 0) if higher else (each < 0)).mean())
    return {"mean": float(each.mean()), "low": low, "high": high, "better": better}


def rows(each: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Lay out a table: a row for each controller, by what it reached on the median."""
    head = ["controller", "median", "quartiles", "found best"]
    head += ["minus random (95 %)", "better"]
    found = [[*head, "ms a look-up"]]
    for name, value in each.items():
        cells = [f"{value['median'][-1]:.4f}"]
        cells.append(f"{value['low'][-1]:.4f} to {value['high'][-1]:.4f}")
        cells.append(f"{value['best']:.0%}")
        paired = value.get("minus_random", {}).get("end")
        if paired is None:
            cells += ["", ""]
        else:
            cells.append(
                f"{paired['mean']:+.4f} ({paired['low']:+.4f} to {paired['high']:+.4f})"
            )
            cells.append(f"{paired['better']:.0%}")
        found.append([name, *cells, f"{value['ms_per_evaluation']:.2f}"])
    return found


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]

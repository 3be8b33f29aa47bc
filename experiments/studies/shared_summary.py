"""Searches of the same weights in few numbers: volumes, curves, paired differences.

Letters in shapes: A architectures of a search, F those on its front, M objectives, G
points of a grid.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nas.comparison.intervals import METHOD
from nas.comparison.pairing import Row, pair
from nas.search.pareto import front_indices, hypervolume

BASELINE = "random"
SPLITS = ("search", "report")
MARGIN = 0.1
# About how many points of a curve are kept.
GRID = 60
Searched = Mapping[str, Any]
"""What `controllers_shared.carried_out` gives of one search."""
Box = tuple[np.ndarray, np.ndarray]
"""The best values of a common front, `float64[M]`, and its range, `float64[M]`."""


def box_of(fronts: Iterable[np.ndarray]) -> Box:
    """Find the scale in which fronts are compared.

    Args:
      fronts: `float64[F, M]` each.

    Returns:
      The best values of their common front, and its range. Where that is a single
      value, the range of all fronts; where they agree, 1.
    """
    everything = np.concatenate(list(fronts))
    common = everything[front_indices(everything)]
    best, scale = common.min(0), np.ptp(common, axis=0)
    scale = np.where(scale > 0, scale, everything.max(0) - best)
    return best, np.where(scale > 0, scale, 1.0)


def share(points: np.ndarray, box: Box) -> float:
    """Give the fraction of a box, and a tenth more, that `float64[F, M]` dominate."""
    best, scale = box
    corner = np.full(len(best), 1 + MARGIN)
    return hypervolume((points - best) / scale, corner) / float(np.prod(corner))


def volumes(fronts: Mapping[str, Any]) -> dict[str, float]:
    """Measure fronts by one scale and reference.

    Args:
      fronts: `[F, M]` objectives for each name.

    Returns:
      Of each, the fraction of the box between the best values of all fronts together
      and the reference: the worst values of their common front and a tenth of its range
      more. A front of nothing dominates nothing.
    """
    arrays = {n: np.asarray(f, np.float64) for n, f in fronts.items() if len(f)}
    if not arrays:
        return dict.fromkeys(fronts, 0.0)
    box = box_of(arrays.values())
    return {n: share(arrays[n], box) if n in arrays else 0.0 for n in fronts}


def growth(points: np.ndarray, feasible: np.ndarray, box: Box) -> np.ndarray:
    """Measure the front after each evaluation.

    Args:
      points: `float64[A, M]`, in the order of evaluation.
      feasible: `bool[A]`, which may be chosen.
      box: see `box_of`.

    Returns:
      `float64[A]`, never falling.
    """
    front, volume = points[:0], 0.0
    history = np.zeros(len(points))
    for i, point in enumerate(points):
        if feasible[i] and not (front <= point).all(axis=1).any():
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
            # Rounding must not make it fall.
            volume = max(volume, share(front, box))
        history[i] = volume
    return history


def on_grid(at: np.ndarray, values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Read off a curve of steps.

    Args:
      at: `float64[A]`, rising: how much of the budget was used up by each value.
      values: `float64[A]`.
      grid: `float64[G]`.

    Returns:
      `float64[G]`: the latest value of each point, 0 before the first.
    """
    places = np.searchsorted(at, grid + 1e-9, side="right")
    return np.append(0.0, values)[places]


def summarise(seeds: Sequence[Mapping[str, Searched]], budget: int) -> dict[str, Any]:
    """Sum up the searches of all controllers.

    Args:
      seeds: of each seed, what each controller found.
      budget: of each search, charges among them.

    Returns:
      JSON values: the `grid` of the curves, `controllers`, the best on the search split
      first, and the `fronts` of each seed: each point once, its objectives on the
      search split and then on the report split.
    """
    step = max(1, budget // GRID)
    # From the end, so that the end is among them.
    grid = np.arange(budget, 0, -step)[::-1]
    values: dict[str, dict[str, dict[int, float]]] = {split: {} for split in SPLITS}
    curves: dict[str, list[np.ndarray]] = {}
    for seed, searches in enumerate(seeds):
        found = seed_volumes(searches)
        for split in SPLITS:
            for name, volume in found[split].items():
                values[split].setdefault(name, {})[seed] = volume
        for name, curve in seed_curves(searches, grid).items():
            curves.setdefault(name, []).append(curve)
    paired = {
        split: {row.variant: row for row in pair(values[split], BASELINE, 1)}
        for split in SPLITS
    }
    order = sorted(curves, key=lambda name: -paired["search"][name].mean.mean)
    controllers = {
        name: {split: numbers(paired[split][name]) for split in SPLITS}
        | used([searches[name] for searches in seeds if name in searches])
        | {"curve": curve_of(curves[name])}
        for name in order
    }
    return {
        "intervals": METHOD,
        "grid": grid.tolist(),
        "controllers": controllers,
        "fronts": [
            {name: front_points(search) for name, search in searches.items()}
            for searches in seeds
        ],
    }


def seed_volumes(searches: Mapping[str, Searched]) -> dict[str, dict[str, float]]:
    """Measure the last fronts of one seed's searches, by split and controller."""
    return {
        "search": volumes({name: last_front(s) for name, s in searches.items()}),
        "report": volumes({name: s["report"] for name, s in searches.items()}),
    }


def seed_curves(
    searches: Mapping[str, Searched], grid: np.ndarray
) -> dict[str, np.ndarray]:
    """Measure the fronts of one seed along the budget: `float64[G]` by controller."""
    fronts = [front for s in searches.values() if len(front := last_front(s))]
    if not fronts:
        return {name: np.zeros(len(grid)) for name in searches}
    box = box_of(fronts)
    return {
        name: on_grid(
            np.asarray(s["at"]), growth(np.array(s["points"]), s["feasible"], box), grid
        )
        for name, s in searches.items()
    }


def last_front(search: Searched) -> np.ndarray:
    """Give the front of a search on the search split: `float64[F, M]`."""
    return np.array(search["points"], np.float64)[np.array(search["front"], int)]


def front_points(search: Searched) -> list[list[float]]:
    """Give a front's objectives on both splits, `[F, 2 M]`, each point once."""
    if not search["front"]:
        return []
    both = np.concatenate([last_front(search), np.array(search["report"])], axis=1)
    return [rounded(point) for point in np.unique(both, axis=0)]


def numbers(row: Row) -> dict[str, Any]:
    """Give the volumes of one controller and split, and their difference to random."""
    found: dict[str, Any] = {
        "median": float(np.median(row.values)),
        "mean": row.mean.mean,
        "each": rounded(row.values),
    }
    if row.difference is not None:
        found["minus_random"] = row.difference._asdict() | {
            "wins": row.wins,
            "losses": row.losses,
        }
    return found


def used(searches: Sequence[Searched]) -> dict[str, Any]:
    """Say what the searches of one controller did, as medians over seeds."""
    names = ("evaluations", "charged", "seconds")
    return {name: float(np.median([s[name] for s in searches])) for name in names}


def curve_of(curves: Sequence[np.ndarray]) -> dict[str, list[float]]:
    """Give the median and quartiles of `float64[G]` over seeds."""
    low, median, high = np.quantile(np.stack(curves), (0.25, 0.5, 0.75), axis=0)
    return {"median": rounded(median), "low": rounded(low), "high": rounded(high)}


def rows(controllers: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Lay out the table: a row for each controller."""
    found = [["controller", "evaluated", "charged"]]
    for split in SPLITS:
        found[0] += [f"{split}, median", "minus random (95 %)", "ahead in"]
    for name, each in controllers.items():
        row = [name, f"{each['evaluations']:.0f}", f"{each['charged']:.0f}"]
        for split in SPLITS:
            row += [f"{each[split]['median']:.4f}", *_against(each[split])]
        found.append(row)
    return found


def _against(found: Mapping[str, Any]) -> list[str]:
    """Write a difference, and in how many seeds it is for the better."""
    if "minus_random" not in found:
        return ["", ""]
    both = found["minus_random"]
    text = f"{both['mean']:+.4f}"
    if both["low"] is not None:
        text += f" ({both['low']:+.4f} to {both['high']:+.4f})"
    return [text, f"{both['wins']} of {both['n']}"]


def rounded(values: Iterable[float]) -> list[float]:
    """Keep six digits."""
    return [float(f"{value:.6g}") for value in values]

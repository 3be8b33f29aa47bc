"""Pairing by seed: methods are compared where all else was equal, and only there."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from nas.comparison.intervals import Interval, student

Values = Mapping[str, Mapping[int, float]]
"""A number of each method (outer key) and seed."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A method beside the baseline.

    Attributes:
      variant: the method.
      seeds: those that the mean is over.
      values: one a seed.
      mean: over these seeds.
      paired: the seeds that the baseline has as well.
      difference: of the method minus the baseline over the paired seeds; None for the
        baseline itself and where no seed is shared.
      wins: on how many paired seeds it is better than the baseline.
      losses: on how many it is worse; what is left are ties.
    """

    variant: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: Interval
    paired: tuple[int, ...] = ()
    difference: Interval | None = None
    wins: int = 0
    losses: int = 0


def pair(values: Values, baseline: str | None, better: int) -> list[Row]:
    """Hold each method against the baseline, seed by seed.

    Args:
      values: of one quantity, all finite.
      baseline: the method that the others are compared with; one without values
        leaves no differences.
      better: 1 if higher values are better, -1 if lower ones are.

    Returns:
      A row for each method that has values, in the order of `values`.
    """
    reference = values.get(baseline, {}) if baseline is not None else {}
    rows = []
    for variant, found in values.items():
        if not found:
            continue
        seeds = tuple(sorted(found))
        row = Row(
            variant,
            seeds,
            tuple(float(found[seed]) for seed in seeds),
            student([found[seed] for seed in seeds]),
        )
        shared = tuple(seed for seed in seeds if seed in reference)
        if variant != baseline and shared:
            gained = np.array([found[seed] - reference[seed] for seed in shared])
            row = dataclasses.replace(
                row,
                paired=shared,
                difference=student(gained),
                wins=int((better * gained > 0).sum()),
                losses=int((better * gained < 0).sum()),
            )
        rows.append(row)
    return rows


def unpaired(values: Values, baseline: str | None) -> list[str]:
    """Say which seeds a comparison leaves out, a sentence for each method.

    Args:
      values: of one quantity.
      baseline: the method that the others are compared with.
    """
    reference = set(values.get(baseline, {})) if baseline is not None else set()
    said = []
    for variant, found in values.items():
        odd = sorted(set(found) ^ reference)
        if variant == baseline or not found or not reference or not odd:
            continue
        shared = len(set(found) & reference)
        what = "seed" if len(odd) == 1 else "seeds"
        said.append(
            f"{variant} and {baseline} do not both have {what} "
            f"{', '.join(map(str, odd))}; their difference is over the {shared} in "
            "common."
        )
    return said


def choose_baseline(variants: Sequence[str], wanted: str | None) -> str | None:
    """Give the method to compare with: what was asked for, `uniform`, or the first.

    Args:
      variants: all methods, in order.
      wanted: its name, None to choose.

    Raises:
      ValueError: there is no such method.
    """
    if wanted is None:
        return "uniform" if "uniform" in variants else next(iter(variants), None)
    if wanted not in variants:
        raise ValueError(
            f"There is no variant {wanted!r}. Allowed: {', '.join(variants)}."
        )
    return wanted

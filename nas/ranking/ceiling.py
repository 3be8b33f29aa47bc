"""How well the truth knows itself: what no estimate can be expected to pass.

Training an architecture again with another seed gives another error. Two estimates of
the same truth by one seed each agree by the seed-to-seed tau. An estimate is held
against the *mean* of S seeds, which is less noisy than one seed, so even a noise-free
estimate may lie above seed-to-seed tau: what it would reach against that mean cannot be
known from the table. A seed against the mean of the others is nearer to it, and still
below, for its one side is a single seed.

Letters in shapes: P architectures, S seeds.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np

from nas.errors import UserError
from nas.ranking.correlation import checked, tau_b


@dataclasses.dataclass(frozen=True)
class Ceiling:
    """The truth against itself.

    Attributes:
      seed_to_seed: mean tau-b over pairs of seeds; None with one seed.
      seed_to_others: mean tau-b of a seed and the mean of the other seeds.
      spread: standard deviation of the pairs' tau-b; None with fewer than two pairs.
      seeds: S.
    """

    seed_to_seed: float | None
    seed_to_others: float | None
    spread: float | None
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """Give the fields as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)


def checked_truth(truth: Any) -> np.ndarray:
    """Refuse a table of truth that cannot be ranked.

    Args:
      truth: `float[P, S]`.

    Returns:
      The same as `float64[P, S]`.

    Raises:
      UserError: other than two axes, no seed, or a NaN; the message names which.
    """
    table = np.asarray(truth, np.float64)
    if table.ndim != 2 or table.shape[1] < 1:
        raise UserError(
            f"ranking: truth has the shape {table.shape}; errors of P architectures by "
            "S seeds, [P, S], are needed."
        )
    for s in range(table.shape[1]):
        checked(table[:, s], f"truth of seed {s}")
    return table


def ceiling(truth: Any) -> Ceiling:
    """Hold the seeds of the truth against one another.

    Args:
      truth: `float[P, S]`, errors of architectures trained alone, by seed.

    Returns:
      The agreement; see `Ceiling`.
    """
    table = checked_truth(truth)
    seeds = table.shape[1]
    pairs = [
        tau_b(table[:, a], table[:, b])
        for a, b in itertools.combinations(range(seeds), 2)
    ]
    others = [
        tau_b(table[:, s], np.delete(table, s, axis=1).mean(1))
        for s in range(seeds)
        if seeds > 1
    ]
    known = [tau for tau in pairs if tau is not None]
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Ceiling(_mean(pairs), _mean(others), spread, seeds)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

"""What an architecture is worth under each preference between objectives.

Objectives have units that nobody can add up, and some values are far off (a network
that diverged). They are therefore compared by their ranks among architectures measured
lately: ranks do not change under any rescaling that keeps the order, no outlier moves
them, and a reward made of them has the same scale at the beginning and at the end of a
search. Ranges would have none of this.

Reference:
  Steuer, Choo, "An interactive weighted Tchebycheff procedure for multiple objective
  programming", Mathematical Programming 26, 1983 (the augmented Chebyshev metric).
"""

import numpy as np

AUGMENTATION = 0.05
"""What the sum of objectives adds to the worst, so that of two with the same worst the
one that dominates is better."""


def quantiles(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Place values among others: the share that is less, and half of what is equal.

    Args:
      values: `float64[P, M]`.
      among: `float64[N, M]`, at least one.

    Returns:
      `float64[P, M]`, each column by itself, from 0 to 1.
    """
    less = (among[None] < values[:, None]).mean(axis=1)
    equal = (among[None] == values[:, None]).mean(axis=1)
    return less + equal / 2


def rewards(
    objectives: np.ndarray,
    violation: np.ndarray,
    among: tuple[np.ndarray, np.ndarray],
    preferences: np.ndarray,
) -> np.ndarray:
    """Say what architectures are worth under each preference.

    Minus the augmented Chebyshev metric of the objectives' quantiles: the worst one
    counts, each multiplied by its preference over the largest preference. Every member
    of a front, also where it is concave, is the best for some preference.

    Args:
      objectives: `float64[P, M]`.
      violation: `float64[P]`; one that misses a constraint is worth less than any
        that misses none, the more it misses the less.
      among: objectives `float64[N, M]` and violations `float64[N]` to rank by.
      preferences: `float32[W, M]`, rows on the simplex.

    Returns:
      `float32[P, W]`, from about -2 to 0.
    """
    place = quantiles(objectives, among[0])
    shares = preferences / preferences.max(axis=1, keepdims=True)
    each = shares[None] * place[:, None]  # [P, W, M]
    metric = each.max(axis=2) + AUGMENTATION * each.sum(axis=2)
    missed = quantiles(violation[:, None], among[1][:, None])
    worst = 1 + AUGMENTATION * objectives.shape[1] + missed
    return -np.where(violation[:, None] > 0, worst, metric).astype(np.float32)

"""Groups of a decision's options, and the choice of the decision to split by.

Distances between options say how much two options would pull the shared weights apart.
A cut puts options into groups; what matters of it are the sums of the distances within
groups and between them. Few-shot methods cut so that little is left within (Hu et al.,
"Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022, arXiv 2203.15207).

Letters in shapes: n options, C cuts, .. any leading axes.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

Groups = tuple[tuple[int, ...], ...]

MOST_OPTIONS = 10

# What is made small by a cut of one decision, and what decides between decisions. The
# paper and its code for cells and for elastic kernels take the decision whose groups
# differ most; its code for two other spaces takes the one whose groups agree best.
CUTS = ("min_within", "min_mean_within")
RULES = ("max_between", "min_within", "max_mean_between")


class Sums(NamedTuple):
    """Of each cut: distances within its groups and between them, `float64[.., C]`."""

    within: np.ndarray
    between: np.ndarray
    mean_within: np.ndarray
    mean_between: np.ndarray


@dataclasses.dataclass(frozen=True)
class Best:
    """The best cut of one decision.

    Attributes:
      groups: of positions among the options that took part.
      within: the sum of distances within groups.
      between: the sum of distances between groups.
      mean_between: its mean over pairs.
    """

    groups: Groups
    within: float
    between: float
    mean_between: float


def even_sizes(n: int, groups: int) -> tuple[int, ...]:
    """Give the sizes of groups that differ by one at most, rising."""
    return tuple(sorted((n + g) // groups for g in range(groups)))


def all_cuts(n: int, sizes: Sequence[Sequence[int]]) -> list[Groups]:
    """List every way to put n options into groups of given sizes.

    Args:
      n: options, at most `MOST_OPTIONS`.
      sizes: allowed sizes of the groups, each a multiset whose sum is n.

    Returns:
      Groups rise by their first option; the list is in lexicographic order.
    """
    allowed = {tuple(sorted(size)) for size in sizes}
    return sorted(
        groups
        for groups in _set_partitions(tuple(range(n)))
        if tuple(sorted(map(len, groups))) in allowed
    )


def measure(distances: np.ndarray, cuts: Sequence[Groups]) -> Sums:
    """Add up the distances within and between the groups of each cut.

    Every cut is measured from zero: nothing is carried over from one to the next.

    Args:
      distances: `float[.., n, n]`, symmetric; NaN where a pair is undefined, which
        then counts nowhere.
      cuts: C of them.
    """
    n = distances.shape[-1]
    upper = np.triu(np.ones((n, n), bool), 1)
    inside = np.zeros((len(cuts), n, n), bool)
    for c, groups in enumerate(cuts):
        for group in groups:
            inside[c][np.ix_(group, group)] = True
    defined = (~np.isnan(distances) & upper).astype(np.float64)
    values = np.where(defined > 0, distances, 0.0)
    sums, means = [], []
    for members in (inside & upper, ~inside & upper):
        total = np.einsum("...ij,cij->...c", values, members.astype(np.float64))
        count = np.einsum("...ij,cij->...c", defined, members.astype(np.float64))
        sums.append(total)
        means.append(total / np.maximum(count, 1))
    return Sums(sums[0], sums[1], means[0], means[1])


def best_cut(distances: np.ndarray, cuts: Sequence[Groups], rule: str) -> np.ndarray:
    """Choose a cut by what is left within its groups; the first of equals.

    Args:
      distances: `float[.., n, n]`, as for `measure`.
      cuts: to choose from.
      rule: one of `CUTS`.

    Returns:
      `int64[..]`, indices into `cuts`.
    """
    sums = measure(distances, cuts)
    cost = sums.within if rule == "min_within" else sums.mean_within
    # Sums of the same numbers in another order differ in the last digits.
    return np.argmax(cost <= cost.min(-1, keepdims=True) + 1e-12, axis=-1)


def merit(sums: Sums, chosen: np.ndarray, rule: str) -> np.ndarray:
    """Say how much a decision deserves to be split, by its chosen cut.

    Args:
      sums: of the decision's cuts.
      chosen: `int64[..]`, from `best_cut`.
      rule: one of `RULES`.

    Returns:
      `float64[..]`; the greatest wins.
    """
    values = {
        "max_between": sums.between,
        "min_within": -sums.within,
        "max_mean_between": sums.mean_between,
    }[rule]
    return np.take_along_axis(values, chosen[..., None], -1)[..., 0]


def describe(distances: np.ndarray, cuts: Sequence[Groups], chosen: int) -> Best:
    """Say what one cut leaves within and puts between.

    Args:
      distances: `float[n, n]`.
      cuts: as chosen from.
      chosen: its index.
    """
    sums = measure(distances, cuts)
    return Best(
        cuts[chosen],
        float(sums.within[chosen]),
        float(sums.between[chosen]),
        float(sums.mean_between[chosen]),
    )


def _set_partitions(items: tuple[int, ...]) -> Iterator[Groups]:
    """Give every partition of a set, each group rising, groups by first element."""
    if not items:
        yield ()
        return
    first, rest = items[0], items[1:]
    for others in _subsets(rest):
        left = tuple(item for item in rest if item not in others)
        for groups in _set_partitions(left):
            yield ((first, *others), *groups)


def _subsets(items: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for number in range(2 ** len(items)):
        yield tuple(item for i, item in enumerate(items) if number >> i & 1)

"""How well an estimate orders architectures, in numbers that can be defended.

Truth and estimate are errors or losses: smaller is better on both sides. An estimate
that orders as the truth does therefore has a correlation of +1, its reverse -1. Numbers
that do not exist (a correlation with a constant) are None, never 0.

Ties are neither right nor wrong: Kendall's tau is tau-b throughout (Kendall, "The
Treatment of Ties in Ranking Problems", Biometrika 1945). Sparse tau and the best-k
numbers follow Yu, Ranftl and Salzmann, "How to Train Your Super-Net", 2020, arXiv
2003.04276, and Zhang et al., "Deeper Insights into Weight Sharing in Neural
Architecture Search", 2020, arXiv 2001.01431.

Letters in shapes: P architectures.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats

from nas.errors import UserError

SPARSE = 1e-3
BEST = 10


@dataclasses.dataclass(frozen=True)
class Correlation:
    """What there is to say about one estimate of one truth.

    Attributes:
      tau: Kendall's tau-b.
      low: lower end of its interval.
      high: upper end.
      spearman: correlation of the ranks.
      tau_better_half: tau-b among the architectures whose truth is at most its median.
      sparse_tau: tau-b of the truth in bins of 0.1 % and the estimate.
      sparse_tau_by_position: the variant of released code; see the function.
      best_k: k of the next two.
      best_k_median_rank: median true rank (1 is best) of the k best by the estimate.
      regret_at_k: best truth among the k best by the estimate, less the best truth.
      n: architectures.
      ties_truth: pairs of architectures that the truth does not tell apart.
      ties_estimate: the same of the estimate.
    """

    tau: float | None
    low: float | None
    high: float | None
    spearman: float | None
    tau_better_half: float | None
    sparse_tau: float | None
    sparse_tau_by_position: float | None
    best_k: int
    best_k_median_rank: float
    regret_at_k: float
    n: int
    ties_truth: int
    ties_estimate: int

    def to_json(self) -> dict[str, Any]:
        """Give the fields as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)


def checked(values: Any, name: str, size: int | None = None) -> np.ndarray:
    """Refuse what cannot be ranked.

    Args:
      values: numbers `[P]`.
      name: what they are, for the message.
      size: P, if it is known.

    Returns:
      The same as `float64[P]`.

    Raises:
      UserError: other than one axis, another length, fewer than two, or a NaN or an
        infinity; the message names the index of the first.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) < 2 or size not in (None, len(array)):
        wanted = "two or more" if size is None else size
        raise UserError(
            f"ranking: {name} has the shape {array.shape}; one number for each "
            f"architecture is needed, [{wanted}]."
        )
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise UserError(
            f"ranking: {name}[{wrong[0]}] is {array[wrong[0]]}, and {len(wrong)} of "
            f"{len(array)} are not finite; leave those architectures out of the "
            "comparison, or measure them again."
        )
    return array


def tau_b(truth: Any, estimate: Any) -> float | None:
    """Give Kendall's tau-b.

    Args:
      truth: `float[P]`.
      estimate: `float[P]`.

    Returns:
      (concordant - discordant) / sqrt(pairs the truth tells apart * pairs the estimate
      tells apart); None if either tells no pair apart.
    """
    truth = checked(truth, "truth")
    estimate = checked(estimate, "estimate", len(truth))
    found: Any = stats.kendalltau(truth, estimate, variant="b")
    return _number(found.statistic)


def spearman(truth: Any, estimate: Any) -> float | None:
    """Give Spearman's correlation; equal values share their mean rank.

    Args:
      truth: `float[P]`.
      estimate: `float[P]`.

    Returns:
      The correlation of the ranks; None if either is constant.
    """
    truth = checked(truth, "truth")
    estimate = checked(estimate, "estimate", len(truth))
    if np.ptp(truth) == 0 or np.ptp(estimate) == 0:
        return None
    a, b = stats.rankdata(truth), stats.rankdata(estimate)
    return float(np.corrcoef(a, b)[0, 1])


def tau_better_half(truth: Any, estimate: Any) -> float | None:
    """Give tau-b among the architectures that are at least as good as the median.

    Bad architectures are easily told from good ones; a search has to order the good.

    Args:
      truth: `float[P]`.
      estimate: `float[P]`.

    Returns:
      None if there are not two of them, or either side tells none apart.
    """
    truth = checked(truth, "truth")
    estimate = checked(estimate, "estimate", len(truth))
    good = truth <= np.median(truth)
    return tau_b(truth[good], estimate[good]) if good.sum() > 1 else None


def sparse_tau(truth: Any, estimate: Any, width: float = SPARSE) -> float | None:
    """Give tau-b of the truth in bins and the estimate as it is.

    Differences of the truth below the noise of training count as ties.

    Args:
      truth: `float[P]`, fractions.
      estimate: `float[P]`.
      width: of a bin, a fraction.

    Returns:
      None where tau-b does not exist.
    """
    return tau_b(_bins(truth, width), estimate)


def sparse_tau_by_position(
    truth: Any, estimate: Any, width: float = SPARSE
) -> float | None:
    """Give the sparse tau of the released code of Yu et al. (2020).

    The bins of the truth in ascending order are held against the same bins in the
    order of the estimate. Ties on both sides are then those of the truth's bins, by
    position, so this is another number than `sparse_tau`: tau-b of two arrangements
    of one list of bins. Equal estimates keep the order in which they came.

    Args:
      truth: `float[P]`, fractions.
      estimate: `float[P]`.
      width: of a bin, a fraction.

    Returns:
      None where tau-b does not exist.
    """
    bins = _bins(truth, width)
    estimate = checked(estimate, "estimate", len(bins))
    return tau_b(np.sort(bins), bins[np.argsort(estimate, kind="stable")])


def best_k(truth: Any, estimate: Any, k: int = BEST) -> np.ndarray:
    """Choose the k best by the estimate; equal estimates count against it.

    Args:
      truth: `float[P]`.
      estimate: `float[P]`.
      k: how many.

    Returns:
      `int[min(k, P)]`, indices, the best first. Of equal estimates the worst truth
      comes first, so that an estimate gains nothing by the order of a table.
    """
    truth = checked(truth, "truth")
    estimate = checked(estimate, "estimate", len(truth))
    return np.lexsort((-truth, estimate))[:k]


def best_k_median_rank(truth: Any, estimate: Any, k: int = BEST) -> float:
    """Give the median true rank of the k best by the estimate.

    Args:
      truth: `float[P]`.
      estimate: `float[P]`.
      k: how many.

    Returns:
      1 is the best of P; equal truths share their mean rank.
    """
    chosen = best_k(truth, estimate, k)
    return float(np.median(stats.rankdata(truth)[chosen]))


def regret_at_k(truth: Any, estimate: Any, k: int = BEST) -> float:
    """Give what is lost by training only the k best by the estimate.

    Args:
      truth: `float[P]`.
      estimate: `float[P]`.
      k: how many.

    Returns:
      The best truth among them less the best truth of all, in the truth's unit; >= 0.
    """
    chosen = best_k(truth, estimate, k)
    truth = np.asarray(truth, np.float64)
    return float(truth[chosen].min() - truth.min())


def tied_pairs(values: Any) -> int:
    """Count the pairs of equal values.

    Args:
      values: `float[P]`.

    Returns:
      At most P (P - 1) / 2.
    """
    counts = np.unique(np.asarray(values), return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def correlation(
    truth: Any,
    estimate: Any,
    interval: tuple[float | None, float | None] = (None, None),
    k: int = BEST,
) -> Correlation:
    """Say everything about one estimate.

    Args:
      truth: `float[P]`, errors.
      estimate: `float[P]`, smaller is better.
      interval: of tau, from a bootstrap; this function draws nothing.
      k: of the best-k numbers.

    Returns:
      The numbers; see `Correlation`.
    """
    truth = checked(truth, "truth")
    estimate = checked(estimate, "estimate", len(truth))
    return Correlation(
        tau=tau_b(truth, estimate),
        low=interval[0],
        high=interval[1],
        spearman=spearman(truth, estimate),
        tau_better_half=tau_better_half(truth, estimate),
        sparse_tau=sparse_tau(truth, estimate),
        sparse_tau_by_position=sparse_tau_by_position(truth, estimate),
        best_k=min(k, len(truth)),
        best_k_median_rank=best_k_median_rank(truth, estimate, k),
        regret_at_k=regret_at_k(truth, estimate, k),
        n=len(truth),
        ties_truth=tied_pairs(truth),
        ties_estimate=tied_pairs(estimate),
    )


def partial_tau(
    truth_estimate: float | None,
    truth_given: float | None,
    estimate_given: float | None,
) -> float | None:
    """Give Kendall's partial rank correlation from three tau-b's.

    What an estimate knows of the truth beyond a third score z: (t_xy - t_xz t_yz) /
    sqrt((1 - t_xz^2) (1 - t_yz^2)), Kendall, "Partial Rank Correlation", Biometrika
    1942. Over pairs of architectures it is the four-fold coefficient of "x agrees with
    z" and "y agrees with z". It is *not* 0 for an estimate that is related to the truth
    only through z (Korn, "The Ranges of Limiting Values of Some Partial Correlations
    under Conditional Independence", The American Statistician 1984): hold it against
    `partial_tau_of_a_copy`.

    Args:
      truth_estimate: t_xy.
      truth_given: t_xz.
      estimate_given: t_yz.

    Returns:
      None if one of the three is, or if z orders as the truth or as the estimate does
      (or in reverse): then nothing is left to explain, or to explain it with.
    """
    if truth_estimate is None or truth_given is None or estimate_given is None:
        return None
    left = (1 - truth_given**2) * (1 - estimate_given**2)
    if left < 1e-12:
        return None
    return float((truth_estimate - truth_given * estimate_given) / np.sqrt(left))


def partial_tau_of_a_copy(
    truth_given: float | None, estimate_given: float | None
) -> float | None:
    """Give the partial tau of an estimate that knows nothing beyond a third score z.

    If truth, estimate and z have a gaussian copula and truth and estimate are
    independent given z, the correlations multiply, and tau = 2 / pi arcsin(rho)
    (Kruskal, "Ordinal Measures of Association", JASA 1958) gives t_xy.

    Args:
      truth_given: t_xz.
      estimate_given: t_yz.

    Returns:
      Between 0 and about 0.2 where both are positive; None where partial tau is.
    """
    if truth_given is None or estimate_given is None:
        return None
    through = np.sin(np.pi / 2 * truth_given) * np.sin(np.pi / 2 * estimate_given)
    copied = float(2 / np.pi * np.arcsin(through))
    return partial_tau(copied, truth_given, estimate_given)


def _bins(truth: Any, width: float) -> np.ndarray:
    # Decimal fractions are not exact: 0.003 / 0.001 must be in bin 3.
    return np.floor(checked(truth, "truth") / width + 1e-6)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

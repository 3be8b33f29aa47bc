"""How well rankings of the same architectures agree, and how one ranking moves.

The numbers of Zhang et al., "Deeper Insights into Weight Sharing in Neural Architecture
Search", 2020, arXiv 2001.01431, by Kendall's tau-b. Smaller is better on all sides.

Letters in shapes: N instances (supernets, or seeds of a truth), P architectures, W
mini-batches after which all were measured.
"""

import itertools

import numpy as np
from scipy import stats

from nas.errors import UserError
from nas.ranking.correlation import best_k, tau_b


def s_tau(estimates: np.ndarray) -> dict[str, float]:
    """Give the agreement of instances: mean, least and greatest tau-b of pairs.

    Args:
      estimates: `float[N, P]`, of N instances, at least 2.

    Returns:
      `mean`, `least`, `greatest`.

    Raises:
      UserError: an estimate tells no pair apart.
    """
    pairs = itertools.combinations(estimates, 2)
    taus = np.asarray([_tau(a, b) for a, b in pairs])
    return {
        "mean": float(taus.mean()),
        "least": float(taus.min()),
        "greatest": float(taus.max()),
    }


def gt_tau(estimates: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Give each estimate's tau-b with the truth.

    Args:
      estimates: `float[.., P]`.
      truth: `float[P]`.

    Returns:
      `float64[..]`.

    Raises:
      UserError: an estimate tells no pair apart.
    """
    flat = np.asarray(estimates).reshape(-1, len(truth))
    taus = [_tau(truth, estimate) for estimate in flat]
    return np.asarray(taus).reshape(np.shape(estimates)[:-1])


def best_rank(truth: np.ndarray, estimate: np.ndarray, n: int) -> float:
    """Give the best true rank among the n best by an estimate: TnR.

    Args:
      truth: `float[P]`.
      estimate: `float[P]`; where it ties, the worst truth comes first.
      n: how many.

    Returns:
      From 1, the best; equal truths share their mean rank.
    """
    return float(stats.rankdata(truth)[best_k(truth, estimate, n)].min())


def within(taus: np.ndarray, window: int) -> dict[str, float]:
    """Say how GT-Tau moves over the last mini-batches of a training.

    Args:
      taus: `float[N, W]`, of N instances after W mini-batches.
      window: k, at most W.

    Returns:
      `mean` and `std`, means over instances of those over the window; `least` and
      `greatest` of all.
    """
    last = taus[:, -window:]
    return {
        "mean": float(last.mean()),
        "std": float(last.std(1, ddof=1).mean()),
        "least": float(last.min()),
        "greatest": float(last.max()),
    }


def interference(values: np.ndarray, trained: np.ndarray) -> dict[str, float]:
    """Say where the child that was just trained stands.

    Args:
      values: `float[W, P]`, smaller is better.
      trained: `int[W]`, the child of each mini-batch.

    Returns:
      `ranks_gained`, by how many ranks it is better right then than on average;
      `first`, the share of mini-batches after which it is the best of all.
    """
    ranks = stats.rankdata(values, axis=1)
    right_then = ranks[np.arange(len(ranks)), trained]
    return {
        "ranks_gained": float((ranks.mean(0)[trained] - right_then).mean()),
        "first": float((right_then < 2).mean()),
    }


def _tau(truth: np.ndarray, estimate: np.ndarray) -> float:
    tau = tau_b(truth, estimate)
    if tau is None:
        raise UserError("An estimate or the truth holds all children for equally good.")
    return tau

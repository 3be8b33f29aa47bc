"""How well a predictor orders architectures that it has not seen.

What the same truth buys without a supernet: some architectures are trained alone, a
predictor is fitted to them, and it ranks the others. Beside it stands, on the very same
architectures, a score that was fitted to nothing.

Letters in shapes: P architectures, F features, R resamples.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats

from nas.errors import UserError
from nas.ranking.bootstrap import RESAMPLES, draw_counts, interval, taus
from nas.ranking.correlation import checked, tau_b
from predictors.base import Predictor

SAMPLE = 50
DRAWS = 20


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """The rank correlation on architectures that were not fitted.

    Attributes:
      tau: mean tau-b over draws of what is fitted.
      low: 2.5 % quantile over draws, and over resamples of the held-out architectures
        in each.
      high: 97.5 % quantile of the same.
      sample: how many true values it was fitted to in each draw.
      n: architectures that it was tried on in each draw.
      draws: how many.
      beside: mean tau-b, on the same architectures, of the score beside it.
      beyond: mean difference of the two.
      beyond_low: 2.5 % quantile of the difference, in pairs.
      beyond_high: 97.5 % quantile.
    """

    tau: float | None
    low: float | None
    high: float | None
    sample: int
    n: int
    draws: int
    beside: float | None = None
    beyond: float | None = None
    beyond_low: float | None = None
    beyond_high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the fields as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)


def held_out(
    predictor: Predictor,
    encodings: np.ndarray,
    truth: Any,
    *,
    beside: Any = None,
    sample: int = SAMPLE,
    draws: int = DRAWS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> HeldOut:
    """Fit a predictor to few true values, and rank the others by it.

    It is never tried on what it has seen. It is fitted to the ranks of the sample's
    errors, for one architecture that does not train would otherwise weigh more than
    the differences between all others.

    Args:
      predictor: how.
      encodings: `float64[P, F]`.
      truth: `float[P]`, errors.
      beside: `float[P]`, a score that was fitted to nothing, smaller is better, such as
        the negative number of live parameters; None for none.
      sample: architectures with a known truth.
      draws: repetitions with other architectures.
      resamples: R, of the intervals, over all draws.
      seed: of the draws.

    Returns:
      The numbers; those that do not exist are None.

    Raises:
      UserError: P is too small, the predictor needs more than the sample, or there is
        no draw.
    """
    truth = checked(truth, "truth", len(encodings))
    if beside is not None:
        beside = checked(beside, "the score beside a predictor", len(truth))
    n = len(truth) - sample
    if sample < 2 or n < 2 or draws < 1:
        raise UserError(
            f"ranking: {sample} of {len(truth)} architectures in each of {draws} draws "
            "cannot be fitted and tried; at least 2 to fit, 2 others, and 1 draw are "
            "needed."
        )
    rng = np.random.default_rng(seed)
    each = max(1, resamples // draws)
    rows: list[tuple[float, float]] = []
    drawn: list[np.ndarray] = []
    for _ in range(draws):
        order = rng.permutation(len(truth))
        seen, others = order[:sample], order[sample:]
        try:
            fitted = predictor.fit(encodings[seen], stats.rankdata(truth[seen]))
        except ValueError as error:
            raise UserError(f"ranking: {error}") from error
        guess = fitted.predict(encodings[others]).mean
        pair = [guess, np.zeros(n) if beside is None else beside[others]]
        own, other = (_number(tau_b(truth[others], one)) for one in pair)
        rows.append((own, other))
        counts = draw_counts(rng, n, each)
        drawn.append(np.stack([taus(counts, truth[others], one) for one in pair]))
    return _summary(np.asarray(rows), np.concatenate(drawn, axis=1), sample, n)


def _summary(exact: np.ndarray, drawn: np.ndarray, sample: int, n: int) -> HeldOut:
    """Average over draws: `float64[draws, 2]`, and `float64[2, R]` of resamples."""
    low, high = interval(drawn[0])
    beyond_low, beyond_high = interval(drawn[0] - drawn[1])
    return HeldOut(
        tau=_mean(exact[:, 0]),
        low=low,
        high=high,
        sample=sample,
        n=n,
        draws=len(exact),
        beside=_mean(exact[:, 1]),
        beyond=_mean(exact[:, 0] - exact[:, 1]),
        beyond_low=beyond_low,
        beyond_high=beyond_high,
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None

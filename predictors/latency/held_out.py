"""How far latencies that a model predicts are from measured ones that it never saw."""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats

from predictors.base import Predictor, checked


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """The error on networks that were not fitted.

    Attributes:
      mape: mean absolute error, as a fraction of what was measured.
      median: the median of the same, which a few networks do not decide.
      tau: Kendall's tau-b of predicted and measured; None if either is the same for
        all.
      n: how many networks.
    """

    mape: float
    median: float
    tau: float | None
    n: int

    def to_json(self) -> dict[str, Any]:
        """Give the fields as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)


def held_out(measured: np.ndarray, predicted: np.ndarray) -> HeldOut:
    """Hold predictions against measurements.

    Args:
      measured: `float64[P]`, ms, above 0.
      predicted: `float64[P]`, ms.

    Returns:
      The error.

    Raises:
      ValueError: the shapes differ, or a number is not finite.
    """
    guesses, truth = checked(np.asarray(predicted)[:, None], measured)
    guesses = guesses[:, 0]
    tau = None
    if np.ptp(truth) > 0 and np.ptp(guesses) > 0:
        found: Any = stats.kendalltau(truth, guesses, variant="b")
        tau = float(found.statistic)
    errors = np.abs(guesses - truth) / truth
    return HeldOut(float(errors.mean()), float(np.median(errors)), tau, len(truth))


def fitted_error(
    predictor: Predictor, encodings: np.ndarray, ms: np.ndarray, fit: np.ndarray
) -> HeldOut:
    """Fit to some networks and hold the predictions of the others against them.

    Args:
      predictor: what is fitted.
      encodings: `float64[P, F]`.
      ms: `float64[P]`, measured.
      fit: `bool[P]`, which are fitted; at least one is and one is not.

    Returns:
      The error on the others.
    """
    fitted = predictor.fit(encodings[fit], ms[fit])
    return held_out(ms[~fit], fitted.predict(encodings[~fit]).mean)


def crossed_error(
    predictor: Predictor, encodings: np.ndarray, ms: np.ndarray, folds: int = 5
) -> HeldOut:
    """Hold out each network once, a fold at a time.

    Args:
      predictor: what is fitted.
      encodings: `float64[P, F]`.
      ms: `float64[P]`, measured.
      folds: how often it is fitted; at most P.

    Returns:
      The error over all networks, each predicted by a model that did not see it.
    """
    order = np.random.Generator(np.random.Philox(0)).permutation(len(ms))
    predicted = np.empty(len(ms))
    for rows in np.array_split(order, min(folds, len(ms))):
        rest = np.setdiff1d(order, rows)
        fitted = predictor.fit(encodings[rest], ms[rest])
        predicted[rows] = fitted.predict(encodings[rows]).mean
    return held_out(ms, predicted)

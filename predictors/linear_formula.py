"""Formulas: a number for each option, added up over an architecture.

The simplest rule that people use without training anything: count the options of an
architecture and weigh them. A rank correlation that does not beat such a rule says
little about the estimate.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import stats

from predictors.base import Fitted, Prediction, Predictor, checked


@dataclasses.dataclass(frozen=True)
class LinearFormula(Fitted):
    """A weight for each option; larger is better, so it predicts the negative.

    Attributes:
      weights: of each option that counts, by name; others have 0.
      options: names of the features, in their order.
      provenance: where the weights come from; must not be the data that are ranked.
    """

    weights: Mapping[str, float]
    options: tuple[str, ...]
    provenance: str

    def __post_init__(self) -> None:
        """Check that each weight has its feature."""
        unknown = sorted(set(self.weights) - set(self.options))
        if unknown:
            raise ValueError(
                f"formula: no feature counts {', '.join(unknown)}; features: "
                f"{', '.join(self.options)}."
            )

    def predict(self, encodings: np.ndarray) -> Prediction:
        """Give the negative score of counts.

        Args:
          encodings: `float64[P, F]`, how often each of `options` is in effect.

        Returns:
          Smaller is better, like an error; no unit, no uncertainty.

        Raises:
          ValueError: F is not the number of options.
        """
        counts, _ = checked(encodings)
        if counts.shape[1] != len(self.options):
            raise ValueError(
                f"formula: {counts.shape[1]} features, but {len(self.options)} "
                f"options: {', '.join(self.options)}."
            )
        weights = [self.weights.get(option, 0.0) for option in self.options]
        return Prediction(-(counts @ np.asarray(weights)), None)


@dataclasses.dataclass(frozen=True)
class FitFormula(Predictor):
    """Fits a formula to other data by least squares."""

    options: tuple[str, ...] = ()
    """Names of the features, in their order; empty: they are numbered."""

    provenance: str = "other data"
    """Which data it will be fitted to, for the record."""

    ranks: bool = True
    """Fit the errors' ranks, from 0 to 1; False: the errors themselves, among which few
    architectures that do not train outweigh all others."""

    NAME = "formula"
    LEAST = 2

    def fit(self, encodings: np.ndarray, values: np.ndarray) -> LinearFormula:
        """Regress errors, or their ranks, on counts.

        Args:
          encodings: `float64[P, F]`, counts of `options`.
          values: `float64[P]`, errors.

        Returns:
          The formula; of several that fit equally well (counts that add up to a
          constant leave a choice) the one with the smallest weights.

        Raises:
          ValueError: the shapes do not belong together, or fewer than two
            architectures were measured.
        """
        counts, errors = checked(encodings, values, self.LEAST)
        options = self.options or tuple(str(f) for f in range(counts.shape[1]))
        if counts.shape[1] != len(options):
            raise ValueError(
                f"formula: {counts.shape[1]} features, but {len(options)} "
                f"options: {', '.join(options)}."
            )
        if self.ranks:
            errors = stats.rankdata(errors) / len(errors)
        centred = counts - counts.mean(0)
        solution = np.linalg.lstsq(centred, errors - errors.mean(), rcond=None)[0]
        weights = dict(zip(options, (-solution).tolist(), strict=True))
        return LinearFormula(weights, options, self.provenance)

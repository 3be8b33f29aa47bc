"""Ridge regression: linear in the features, with a penalty that the data choose.

Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems",
Technometrics 1970. The penalty is the one with the least error of leaving one out,
which a linear model gives in closed form (Golub, Heath and Wahba, Technometrics 1979).
"""

import dataclasses

import numpy as np
from sklearn.linear_model import RidgeCV

from predictors.base import Fitted, Prediction, Predictor, checked


@dataclasses.dataclass(frozen=True)
class Ridge(Predictor):
    """Ridge regression on features of zero mean and unit variance."""

    penalties: tuple[float, ...] = tuple(10.0 ** np.arange(-3, 4))
    """Penalties to choose from, on the squared weights of standardised features."""

    def __post_init__(self) -> None:
        """Check the range."""
        if not self.penalties or min(self.penalties) <= 0:
            raise ValueError(
                f"ridge: penalties are {self.penalties}; at least one is needed, all "
                "above 0."
            )

    def fit(self, encodings: np.ndarray, values: np.ndarray) -> "FittedRidge":
        """Fit; see `Predictor.fit`. A feature that never varies gets no weight."""
        x, y = checked(encodings, values)
        mean, scale = x.mean(0), x.std(0)
        scale = np.where(scale > 0, scale, 1.0)
        model = RidgeCV(alphas=np.asarray(self.penalties)).fit((x - mean) / scale, y)
        weights = model.coef_ / scale
        offset = float(np.asarray(model.intercept_) - mean @ weights)
        return FittedRidge(weights, offset, float(np.asarray(model.alpha_)))


@dataclasses.dataclass(frozen=True, eq=False)
class FittedRidge(Fitted):
    """A linear function of the features.

    Attributes:
      weights: `float64[F]`, of the features as they are.
      offset: what no feature explains.
      penalty: the one chosen.
    """

    weights: np.ndarray
    offset: float
    penalty: float

    def predict(self, encodings: np.ndarray) -> Prediction:
        """Predict; see `Fitted.predict`. It gives no uncertainty."""
        x, _ = checked(encodings)
        return Prediction(x @ self.weights + self.offset, None)

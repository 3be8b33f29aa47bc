"""Ridge regression: linear in the features, with a penalty that the data choose.

Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems",
Technometrics 1970. The penalty is the one with the least error of leaving one out,
which a linear model gives in closed form (Golub, Heath and Wahba, Technometrics 1979).
The uncertainty is that of the Bayesian linear model with the same mean (Lindley and
Smith, "Bayes Estimates for the Linear Model", JRSS B 1972): the penalty is the ratio of
the noise's variance to that of the weights, and the error of leaving one out stands for
the noise.
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

    NAME = "ridge"
    LEAST = 3

    def __post_init__(self) -> None:
        """Check the range."""
        if not self.penalties or min(self.penalties) <= 0:
            raise ValueError(
                f"ridge: penalties are {self.penalties}; at least one is needed, all "
                "above 0."
            )

    def fit(self, encodings: np.ndarray, values: np.ndarray) -> "FittedRidge":
        """Fit; see `Predictor.fit`. A feature that never varies gets no weight."""
        x, y = checked(encodings, values, self.LEAST)
        mean, scale = x.mean(0), x.std(0)
        scale = np.where(scale > 0, scale, 1.0)
        z = (x - mean) / scale
        model = RidgeCV(alphas=np.asarray(self.penalties)).fit(z, y)
        penalty = float(np.asarray(model.alpha_))
        size, directions = np.linalg.eigh(z.T @ z)
        root = directions / np.sqrt(np.maximum(size, 0) + penalty)
        leverage = 1 / len(y) + ((z @ root) ** 2).sum(1)
        left_out = (y - model.predict(z)) / np.maximum(1 - leverage, 1e-9)
        return FittedRidge(
            weights=model.coef_ / scale,
            offset=float(np.asarray(model.intercept_) - mean @ (model.coef_ / scale)),
            penalty=penalty,
            centre=mean,
            root=root / scale[:, None],
            noise=float(np.sqrt((left_out**2).mean())),
            count=len(y),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class FittedRidge(Fitted):
    """A linear function of the features.

    Attributes:
      weights: `float64[F]`, of the features as they are.
      offset: what no feature explains.
      penalty: the one chosen.
      centre: `float64[F]`, the mean of the features that were fitted.
      root: `float64[F, F]`, of the inverse of their second moments with the penalty.
      noise: the error of leaving one out, root mean square.
      count: how many were fitted.
    """

    weights: np.ndarray
    offset: float
    penalty: float
    centre: np.ndarray
    root: np.ndarray
    noise: float
    count: int

    def predict(self, encodings: np.ndarray) -> Prediction:
        """Predict; see `Fitted.predict`."""
        x, _ = checked(encodings)
        leverage = 1 / self.count + (((x - self.centre) @ self.root) ** 2).sum(1)
        mean = x @ self.weights + self.offset
        return Prediction(mean, self.noise * np.sqrt(leverage))

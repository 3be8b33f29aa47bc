"""A random forest: regression trees, each grown from other draws of the data.

Breiman, "Random Forests", Machine Learning 2001, by scikit-learn. The uncertainty is
the spread of the trees' predictions, as in sequential model-based configuration
(Hutter, Hoos and Leyton-Brown, LION 2011).
"""

import dataclasses

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from predictors.base import Fitted, Prediction, Predictor, checked


@dataclasses.dataclass(frozen=True)
class RandomForest(Predictor):
    """Trees that split on one feature at a time; no scale of a feature matters."""

    trees: int = 100
    """How many."""

    leaf: int = 1
    """The fewest architectures in a leaf of a tree."""

    features: float = 0.5
    """The share of the features, drawn anew, among which each split chooses."""

    seed: int = 0
    """Of the draws."""

    NAME = "forest"
    LEAST = 4

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least in (("trees", 2), ("leaf", 1)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"forest: {name} is {getattr(self, name)}; at least {least} is "
                    "needed."
                )
        if not 0 < self.features <= 1:
            raise ValueError(
                f"forest: features is {self.features}; it must be above 0, at most 1."
            )

    def fit(self, encodings: np.ndarray, values: np.ndarray) -> "FittedForest":
        """Fit; see `Predictor.fit`. A function of the data and the seed."""
        x, y = checked(encodings, values, self.LEAST)
        model = RandomForestRegressor(
            self.trees,
            min_samples_leaf=self.leaf,
            max_features=self.features,
            random_state=self.seed,
        )
        return FittedForest(model.fit(x, y))


@dataclasses.dataclass(frozen=True, eq=False)
class FittedForest(Fitted):
    """Fitted trees.

    Attributes:
      model: scikit-learn's.
    """

    model: RandomForestRegressor

    def predict(self, encodings: np.ndarray) -> Prediction:
        """Give the mean and the spread over trees; see `Fitted.predict`."""
        x, _ = checked(encodings)
        each = np.stack([tree.predict(x) for tree in self.model.estimators_])
        return Prediction(each.mean(0), each.std(0, ddof=1))

"""The baselines of a ranking that need no choice, for who names no concrete part."""

from collections.abc import Mapping

from predictors.base import Predictor
from predictors.linear_formula import FitFormula, LinearFormula
from predictors.ridge_regression import Ridge
from predictors.zero_cost.base import Proxy
from predictors.zero_cost.synflow import SynFlow


def untrained() -> dict[str, Proxy]:
    """Give the zero-cost proxies that any supernet of real inputs can be scored by."""
    return {"synflow": SynFlow()}


def from_few() -> Predictor:
    """Give the predictor that is fitted to few true values."""
    return Ridge()


def option_formula(
    options: tuple[str, ...], weights: Mapping[str, float], provenance: str
) -> LinearFormula:
    """Give a formula with known weights; see `LinearFormula`.

    Args:
      options: names of the features.
      weights: of the options that count; larger is better.
      provenance: where they come from.
    """
    return LinearFormula(dict(weights), options, provenance)


def option_fit(options: tuple[str, ...], provenance: str) -> FitFormula:
    """Give what fits such a formula to other data; see `FitFormula`.

    Args:
      options: names of the features.
      provenance: of the other data.
    """
    return FitFormula(options, provenance)

"""Latency models: what a network takes on a device, from measurements of others."""

from predictors.base import Predictor
from predictors.latency.base import FittedLatency as FittedLatency
from predictors.latency.held_out import HeldOut as HeldOut
from predictors.latency.held_out import crossed_error as crossed_error
from predictors.latency.held_out import fitted_error as fitted_error
from predictors.latency.held_out import held_out as held_out
from predictors.latency.linear import LinearLatency
from predictors.latency.table import FittedTable, Group


def standard(costs: int = 0) -> Predictor:
    """Make the predictor that is fitted to latencies unless another is given.

    Args:
      costs: how many of the last features are costs, not options.

    Returns:
      One whose fits are `FittedLatency`.
    """
    return LinearLatency(costs)


def looked_up(groups: tuple[Group, ...], offset: float) -> FittedLatency:
    """Make a model of a table: nothing is fitted.

    Args:
      groups: what decisions add together; see `FittedTable`.
      offset: ms that every network takes.
    """
    return FittedTable(groups, offset)

"""Watching a supernet train: measurements every so many steps that change nothing.

What a watcher draws is a function of the seed and the step, and comes from a stream of
random numbers of its own, so that watching leaves training as it is, to the last bit.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nas.errors import UserError
from nas.runtime.metrics import MetricsWriter, read_scalars
from nas.runtime.processes import is_main
from nas.training.step import State

if TYPE_CHECKING:
    from nas.run import Run


@dataclasses.dataclass(frozen=True)
class Watcher(abc.ABC):
    """Measures a supernet while it is trained. Concrete ones are frozen dataclasses."""

    every: int = 500
    """Steps between two measurements; there is one more at the end of training."""

    # Fields that must be at least so much; `every` of all.
    LEAST: ClassVar[Mapping[str, int]] = {}

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least in {"every": 1, **self.LEAST}.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(
                    f"watch: {name} of {type(self).__name__} is {value}, it must be at "
                    f"least {least}."
                )

    @abc.abstractmethod
    def measure(self, run: "Run", state: State, step: int) -> dict[str, float]:
        """Measure the weights after a step; every process does so.

        Args:
          run: which run.
          state: of the training, after the step.
          step: from 1.

        Returns:
          Scalars by names that `nas.runtime.metrics.SCALARS` documents, the same
          whenever it is called again with the same state.
        """

    def check(self, run: "Run") -> None:
        """Refuse, before training begins, a run that cannot be measured.

        Args:
          run: which run.

        Raises:
          UserError: what is measured does not exist in it.
        """
        del run

    def summary(self, history: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Sum up all measurements after the last step; by default nothing.

        Args:
          history: `float64[N]` by name: every value that was logged, in order.

        Returns:
          Scalars under documented names.
        """
        del history
        return {}


def watch(run: "Run", state: State, step: int, writer: MetricsWriter) -> None:
    """Let those measure whose step it is, and log it.

    Args:
      run: which run, and whose watchers.
      state: of the training, after the step.
      step: from 1.
      writer: of the training; on processes other than 0 it writes nothing.
    """
    watchers = run.experiment.watch
    last = step == run.experiment.training.steps
    for watcher in watchers:
        if last or step % watcher.every == 0:
            writer.scalars(step, watcher.measure(run, state, step))
    if not (last and watchers and is_main()) or run.workdir is None:
        return
    history: dict[str, list[float]] = {}
    for row in read_scalars(run.workdir.metrics):
        history.setdefault(row["name"], []).append(row["value"])
    arrays = {name: np.asarray(values) for name, values in history.items()}
    for watcher in watchers:
        writer.scalars(step, watcher.summary(arrays))

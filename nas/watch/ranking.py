"""How well the supernet ranks a fixed sample of architectures while it is trained.

Rankings jump from step to step (Zhang et al., "Deeper Insights into Weight Sharing in
Neural Architecture Search", 2020, arXiv 2001.01431), so a single value at the end says
little without the spread of those before it.
"""

import dataclasses
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nas.ranking.correlation import tau_b
from nas.ranking.table import TruthTable
from nas.training.averaging import evaluated
from nas.training.step import State
from nas.watch.base import Watcher

if TYPE_CHECKING:
    from nas.run import Run

# Measurements at the end whose spread is told.
LATEST = 8


@dataclasses.dataclass(frozen=True)
class RankingDuringTraining(Watcher):
    """Hold the ranking of a fixed sample against the experiment's truth."""

    architectures: int = 64
    """Of the truth's table, drawn once; all if there are fewer."""

    seed: int = 0
    """Decides the sample, so that runs of other seeds rank the same architectures."""

    LEAST: ClassVar[Mapping[str, int]] = {"architectures": 2, "seed": 0}

    def check(self, run: "Run") -> None:
        """Refuse a run that `nas rank` would refuse; see `Watcher.check`."""
        _truth(run)

    def measure(self, run: "Run", state: State, step: int) -> dict[str, float]:
        """Rank the sample; see `Watcher.measure`.

        Returns:
          `rank/tau_nll` and `rank/tau_error`: Kendall's tau-b between the true error,
          averaged over seeds, and the supernet's negative log-likelihood or error on
          the split that `ranking.split` names; NaN where the estimate is the same for
          all, or not finite.
        """
        del step
        table = _truth(run)
        table = table.take(sample(len(table), self.architectures, self.seed))
        values = run.evaluator.evaluate(
            evaluated(state),
            state["allowed"],
            table.genotypes,
            run.on_device(run.experiment.ranking.split),
        )
        return {
            f"rank/tau_{name}": _tau(table.mean("error"), values[name])
            for name in ("nll", "error")
        }

    def summary(self, history: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Give the standard deviation of the latest 8 values; see `Watcher.summary`.

        Returns:
          `rank/tau_nll_spread` and `rank/tau_error_spread`; nothing of fewer than 2.
        """
        spreads = {}
        for name in ("rank/tau_nll", "rank/tau_error"):
            latest = np.asarray(history.get(name, ()), np.float64)[-LATEST:]
            if len(latest) > 1:
                spreads[f"{name}_spread"] = float(latest.std(ddof=1))
        return spreads


def sample(total: int, num: int, seed: int) -> np.ndarray:
    """Draw rows of a table without replacement; the same for the same numbers.

    Args:
      total: P, rows of the table.
      num: how many to draw; all if the table has fewer.
      seed: of the draw.

    Returns:
      `int64[min(num, P)]`, ascending.
    """
    chosen = np.random.default_rng(seed).permutation(total)[:num]
    return np.sort(chosen)


def _tau(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Give tau-b; training goes on where there is none."""
    tau = tau_b(truth, estimate) if np.isfinite(estimate).all() else None
    return np.nan if tau is None else tau


def _truth(run: "Run") -> TruthTable:
    """Give what `nas rank` would hold the supernet against, read once for all steps."""
    if run not in _READ:
        # Here, because that stage builds on training, which watches.
        from nas.stages.rank import truth_of

        _READ[run] = truth_of(run)
    return _READ[run]


_READ: "weakref.WeakKeyDictionary[Run, TruthTable]" = weakref.WeakKeyDictionary()

"""How the largest and the smallest architecture do while the supernet is trained.

Between them lies what shared weights have to serve at once. Where the smallest does
better than the largest for long, the large ones are trained too little (Yu et al.,
"BigNAS", ECCV 2020, arXiv 2003.11142).
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from nas.training.averaging import evaluated
from nas.training.step import State
from nas.watch.base import Watcher

if TYPE_CHECKING:
    from nas.run import Run


@dataclasses.dataclass(frozen=True)
class Extremes(Watcher):
    """Measure the largest and the smallest architecture on the search split."""

    def measure(self, run: "Run", state: State, step: int) -> dict[str, float]:
        """Evaluate two architectures; see `Watcher.measure`.

        Returns:
          `watch/largest_nll` and `watch/smallest_nll` in nats, `watch/largest_error`
          and `watch/smallest_error` as fractions.
        """
        del step
        genotypes = np.stack([run.supernet.largest(), run.supernet.smallest()])
        values = run.evaluator.evaluate(
            evaluated(state), state["allowed"], genotypes, run.on_device("search")
        )
        return {
            f"watch/{which}_{name}": float(values[name][i])
            for i, which in enumerate(("largest", "smallest"))
            for name in ("nll", "error")
        }

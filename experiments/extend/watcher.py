"""A watcher of one's own: how large the weights are while the supernet is trained.

What it measures goes into the log and TensorBoard. It draws nothing from the streams of
training, so that a watched run has the weights of one that is not.

    nas run experiments/extend/watcher.py
"""

import dataclasses
from typing import TYPE_CHECKING

import jax
import optax

from nas import Experiment, Training
from nas.data import Digits
from nas.search import RandomSearch, Search
from nas.watch import Watcher
from supernets import NASBench201Supernet

if TYPE_CHECKING:
    from nas import Run


@dataclasses.dataclass(frozen=True)
class Size(Watcher):
    """Measure the norm of all shared weights; own names begin with `watch/own/`."""

    def measure(self, run: "Run", state: dict, step: int) -> dict[str, float]:
        """Give one number under one name."""
        return {
            "watch/own/size": float(jax.device_get(optax.tree.norm(state["params"])))
        }


experiment = Experiment(
    name="extend_watcher",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Digits(),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    watch=(Size(every=20),),
    search=Search(RandomSearch(population=8), evaluations=24),
)

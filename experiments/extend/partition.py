"""A partition of one's own: two sub-supernets, split by the options of one decision.

Architectures with a convolution on the last edge share weights with one another, and
the others with one another (after Zhao et al. 2021, arXiv 2006.06863).

    nas run experiments/extend/partition.py
"""

import dataclasses

import numpy as np

from nas import Experiment, Training
from nas.data import Digits
from nas.partition import Partition
from nas.search import RandomSearch, Search
from search_spaces import SearchSpace
from supernets import NASBench201Supernet


@dataclasses.dataclass(frozen=True)
class SplitDecision(Partition):
    """Two sub-supernets: some options of a decision, and the rest."""

    decision: str = "edge_2_3"
    """The decision that is split."""

    options: tuple[str, ...] = ("nor_conv_1x1", "nor_conv_3x3")
    """Those of its options that go to the first sub-supernet."""

    def tables(self, space: SearchSpace) -> np.ndarray:
        """Allow the options in one table, and the others in a second."""
        d = space.names.index(self.decision)
        first, second = space.valid.copy(), space.valid.copy()
        chosen = np.array([o in self.options for o in space.decisions[d].options])
        first[d, : len(chosen)] = chosen
        second[d, : len(chosen)] = ~chosen
        return np.stack([first, second])


experiment = Experiment(
    name="extend_partition",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Digits(),
    partition=SplitDecision(),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(RandomSearch(population=8), evaluations=24),
)

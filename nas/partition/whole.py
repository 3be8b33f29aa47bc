"""One supernet for the whole space."""

import dataclasses

import numpy as np

from nas.partition.base import Partition
from search_spaces import SearchSpace


@dataclasses.dataclass(frozen=True)
class Whole(Partition):
    """All architectures share one set of weights."""

    def tables(self, space: SearchSpace) -> np.ndarray:
        """Allow every option; see `Partition.tables`."""
        return space.valid[None]

"""Latency looked up: what each option adds, or each combination of a few decisions.

Reference:
  Cai, Gan, Wang, Zhang, Han, "Once-for-All: Train One Network and Specialize it for
  Efficient Deployment", ICLR 2020, arXiv 1908.09791: latencies of blocks, by the kernel
  size and the expansion of each together.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from predictors.base import Prediction, checked
from predictors.latency.base import FittedLatency

Group = tuple[tuple[tuple[int, int], ...], np.ndarray]
"""Of each decision the begin and end of its options among the features, and
`float64[O1, .., Ok]`, the ms of each combination."""


@dataclasses.dataclass(frozen=True, eq=False)
class FittedTable(FittedLatency):
    """Milliseconds added up over groups of decisions; nothing is fitted.

    Features are, for each option, whether it is taken and has an effect; in a mixture,
    how probable that is. Decisions of a group have an effect together, and are chosen
    independently.

    Attributes:
      groups: each decision is in at most one.
      offset: ms that every network takes.
    """

    groups: tuple[Group, ...]
    offset: float

    def predict(self, encodings: np.ndarray) -> Prediction:
        """Look up; see `Fitted.predict`. It gives no uncertainty."""
        x, _ = checked(encodings)
        return Prediction(self._sum(x), None)

    def expected(self, encoding: jax.Array) -> jax.Array:
        """Look up a mixture, exactly; see `FittedLatency.expected`."""
        return self._sum(encoding[None])[0]

    def _sum(self, x: Any) -> Any:
        """Add up `float[P, F]`, of numpy or JAX, to `float[P]`."""
        total = x[:, :0].sum(axis=1) + self.offset
        for ((begin, end), *others), ms in self.groups:
            share = x[:, begin:end]
            for low, high in others:
                option = x[:, low:high]
                live = option.sum(axis=1, keepdims=True)
                # The first factor has the probability of an effect; once is enough.
                given = option / (live + (live == 0).astype(x.dtype))
                share = (share[:, :, None] * given[:, None, :]).reshape(len(x), -1)
            total = total + share @ ms.reshape(-1).astype(x.dtype)
        return total

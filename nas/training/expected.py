"""What architectures that are relaxed cost on average, by column of an archive."""

from collections.abc import Callable

import jax

from nas.latency import COLUMN
from search_spaces import Architecture
from supernets import Supernet

Expected = Callable[[jax.Array], dict[str, jax.Array]]
"""float32[D, O], as `Architecture.soft` takes them -> {column: float32[]}."""


def expected_costs(
    supernet: Supernet, latency: Callable[[jax.Array], jax.Array] | None = None
) -> Expected:
    """Put together all costs that can be differentiated.

    Args:
      supernet: counts its own.
      latency: `float32[D, O] -> float32[]`, in milliseconds; None: it is not known.

    Returns:
      The function; traceable. At one-hot rows it gives the architecture's own costs.
    """

    def cost(rows: jax.Array) -> dict[str, jax.Array]:
        counted = supernet.cost(Architecture.soft(supernet.space, rows))
        return counted if latency is None else counted | {COLUMN: latency(rows)}

    return cost

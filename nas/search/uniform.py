"""The hand-made family: networks of a space in which everything is scaled together.

This is what somebody without a search would try: one knob from the smallest to the
largest network, and every decision turns with it. Searches must beat it at equal cost.
"""

import numpy as np

from supernets import Supernet


def uniform_family(supernet: Supernet) -> np.ndarray:
    """List the networks in which every decision takes the same quantile of its options.

    A decision's options are ordered by the multiply-accumulates, then the parameters,
    of the network that is otherwise the largest; equal ones keep the space's order. At
    quantile t of [0, 1], a decision with n ordered options takes the one at index
    `min(floor(t n), n - 1)`.

    Args:
      supernet: whose space and costs.

    Returns:
      `int32[N, D]`, canonical, all different, by ascending multiply-accumulates.
    """
    space = supernet.space
    orders = _orders(supernet)
    knobs = sorted({k / n for n in space.num_options for k in range(n)})
    rows = [
        [order[min(int(t * len(order) + 1e-9), len(order) - 1)] for order in orders]
        for t in knobs
    ]
    genotypes = space.canonical(np.asarray(rows, np.int32))
    # By first appearance: at equal cost, the smaller quantile comes first.
    _, first = np.unique(genotypes, axis=0, return_index=True)
    genotypes = genotypes[np.sort(first)]
    cost = supernet.costs(genotypes)
    order = np.lexsort((np.arange(len(genotypes)), cost["params"], cost["macs"]))
    return np.ascontiguousarray(genotypes[order], np.int32)


def closest_uniform(supernet: Supernet, macs: float) -> np.ndarray:
    """Give the uniformly scaled network whose cost is nearest, by ratio.

    Args:
      supernet: whose space and costs.
      macs: the multiply-accumulates to match, above 0.

    Returns:
      `int32[D]`; the cheaper of two equally near ones.

    Raises:
      ValueError: `macs` is not above 0.
    """
    if not macs > 0:
        raise ValueError(
            f"closest_uniform: macs is {macs}; give the multiply-accumulates of one "
            "example, above 0"
        )
    family = uniform_family(supernet)
    found = np.maximum(supernet.costs(family)["macs"], 1)
    return family[int(np.argmin(np.abs(np.log(found / macs))))]


def _orders(supernet: Supernet) -> list[np.ndarray]:
    """Order each decision's options by cost: int[n] each."""
    largest = supernet.largest()
    orders = []
    for d, n in enumerate(supernet.space.num_options):
        rows = np.repeat(largest[None], n, axis=0)
        rows[:, d] = np.arange(n)
        cost = supernet.costs(supernet.space.canonical(rows))
        orders.append(np.lexsort((np.arange(n), cost["params"], cost["macs"])))
    return orders

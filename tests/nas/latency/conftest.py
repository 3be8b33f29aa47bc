"""A toy network with a depth, of which every latency is known."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Architecture, Decision, SearchSpace

SPACE = SearchSpace(
    "toy",
    (
        Decision("depth", (1, 2, 3)),
        Decision("kernel_1", (3, 5, 7)),
        Decision("kernel_2", (3, 5, 7), ("depth", (2, 3))),
        Decision("kernel_3", (3, 5, 7), ("depth", (3,))),
    ),
)
MACS = np.array([[10.0, 10, 10], [3, 5, 7], [6, 10, 14], [12, 20, 28]])
TABLE = np.array([[0.1, 0.2, 0.4], [0.3, 0.5, 0.9], [0.2, 0.6, 1.1], [0.7, 0.8, 1.3]])
FIXED = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Toy:
    """What a latency model asks of a supernet."""

    space: SearchSpace = SPACE

    def costs(self, genotypes: Any) -> dict[str, np.ndarray]:
        rows = np.asarray(self.space.canonical(np.asarray(genotypes, np.int32)))
        alive = self.space.alive(rows)
        macs = (MACS[np.arange(4), rows] * alive).sum(1).astype(np.int64)
        return {"macs": macs, "params": 2 * macs, "bytes": 8 * macs}

    def cost(self, arch: Architecture) -> dict[str, jax.Array]:
        live = jnp.ones(4)
        if arch.indices is None:
            depth = arch.weights[0]
            live = jnp.array([1.0, 1.0, depth[1] + depth[2], depth[2]])
        else:
            live = self.space.alive(arch.indices).astype(jnp.float32)
        rows = (arch.given_alive().weights * MACS.astype(np.float32)).sum(1)
        macs = jnp.sum(live * rows)
        return {"macs": macs, "params": 2 * macs, "bytes": 8 * macs}


def truth(genotypes: np.ndarray) -> np.ndarray:
    """Add up the table over what is alive: float64[P], ms."""
    rows = SPACE.canonical(np.asarray(genotypes, np.int32))
    return FIXED + (TABLE[np.arange(4), rows] * SPACE.alive(rows)).sum(1)


@pytest.fixture
def toy() -> Any:
    return Toy()


@pytest.fixture
def everything() -> np.ndarray:
    """int32[39, 4]"""
    return SPACE.enumerate()

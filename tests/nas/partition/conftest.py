"""A supernet to do by hand, and what a partition is given to look at it."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.partition import Probe
from nas.strategies import Batch, Context
from search_spaces import Decision, SearchSpace
from supernets import Outputs


class Kept:
    """Measurements in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, np.ndarray] = {}

    def load(self, name: str) -> np.ndarray | None:
        return self.values.get(name)

    def save(self, name: str, values: np.ndarray) -> None:
        self.values[name] = values


@dataclasses.dataclass(frozen=True)
class Toy:
    """Logits that a shared vector makes, of which each option takes what it wants.

    Option k of decision d multiplies the input by its row of `signs[d]` before the
    shared vector sees it, and adds a weight of its own, `offsets` times.
    """

    signs: tuple[tuple[float, ...], ...]
    offsets: float = 0.0
    features: int = 4

    @property
    def space(self) -> SearchSpace:
        return SearchSpace(
            "toy",
            tuple(
                Decision(f"d{i}", tuple(range(len(row))))
                for i, row in enumerate(self.signs)
            ),
        )

    def params(self) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        own = {
            f"d{i}": jnp.asarray(0.1 * rng.standard_normal(len(row)), jnp.float32)
            for i, row in enumerate(self.signs)
        }
        return {"shared": jnp.full(self.features, 1e-4), "own": own}

    def forward(self, params: Any, arch: Any, x: jax.Array, key: jax.Array) -> Outputs:
        scale = jnp.float32(1)
        shift = jnp.float32(0)
        for i, row in enumerate(self.signs):
            choice = arch[f"d{i}"]
            signs = jnp.asarray(row, jnp.float32)
            scale = scale * (choice.weights * signs).sum()
            shift = (
                shift + self.offsets * (choice.weights * params["own"][f"d{i}"]).sum()
            )
        value = scale * (x @ params["shared"]) + shift
        logits = jnp.stack([value, -value], -1)
        return Outputs(logits, logits, {})

    def activity(self, arch: Any) -> Any:
        own = {f"d{i}": arch[f"d{i}"].weights for i in range(len(self.signs))}
        return {"shared": jnp.ones(1), "own": own}

    def draw(self, data: Any, key: jax.Array, size: int) -> Batch:
        rows = jax.random.randint(key, (size,), 0, data.shape[0], jnp.int32)
        x = data[rows]
        labels = (x[:, 0] > 0).astype(jnp.int32)
        return Batch(x, labels, rows)

    def probe(
        self, memory: Kept | None = None, pause: Callable[[], None] = bool
    ) -> Probe:
        rng = np.random.default_rng(1)
        data = rng.standard_normal((64, self.features)).astype(np.float32)
        return Probe(
            number=0,
            context=Context(self.space, self.forward, self.activity, self.space.valid),
            weights=lambda s: self.params(),
            data=jnp.asarray(data),
            draw=self.draw,
            key=jax.random.key(5),
            memory=memory or Kept(),
            progress=silent,
            pause=pause,
        )


class Silent:
    """A bar that nobody sees."""

    def update(self, done: int, **values: Any) -> None:
        """Show nothing."""


@contextlib.contextmanager
def silent(title: str, total: int) -> Any:
    yield Silent()


@pytest.fixture
def kept() -> Kept:
    return Kept()

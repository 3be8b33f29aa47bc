"""One architecture's ordinary module as pure functions, to be trained on its own.

NNX is split and merged here, and appears nowhere above. Batch normalisation sees the
batch's own statistics while it is trained, as in a supernet, and is calibrated
afterwards in the same way, so that the statistics of both mean the same.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from supernets.base import Params, Stats
from supernets.paths import flatten, unflatten


@dataclasses.dataclass(frozen=True, eq=False)
class Standalone:
    """A network without its weights; made by `functional`.

    Attributes:
      params: the weights that the module was built with.
      stats: the statistics that it was built with; empty if it has none.
    """

    params: Params
    stats: Stats
    _training: nnx.GraphDef
    _calibrating: nnx.GraphDef
    _inferring: nnx.GraphDef
    _state: nnx.State

    def train(self, params: Params, x: jax.Array, key: jax.Array) -> jax.Array:
        """Run in training mode, normalising by the batch's own statistics.

        Args:
          params: the weights; differentiable.
          x: `float32[B, H, W, C]`, normalised images.
          key: for what is random in training, such as dropout.

        Returns:
          `float32[B, num_classes]` logits.
        """
        return self._merge(self._training, params, self.stats, key)(x)

    def infer(self, params: Params, stats: Stats, x: jax.Array) -> jax.Array:
        """Run in inference mode, normalising by given statistics.

        Args:
          params: the weights.
          stats: from `calibrate`, or as extracted from a supernet.
          x: `float32[B, H, W, C]`.

        Returns:
          `float32[B, num_classes]` logits.
        """
        return self._merge(self._inferring, params, stats)(x)

    def calibrate(self, params: Params, batches: jax.Array) -> Stats:
        """Estimate normalisation statistics as `Supernet.calibrate` does.

        Args:
          params: the weights.
          batches: `float32[N, B, H, W, C]`.

        Returns:
          The mean over batches of each batch's mean and biased variance; empty if the
          network has no statistics.
        """
        if not self.stats:
            return {}

        def add(total: Stats, x: jax.Array) -> tuple[Stats, None]:
            module = self._merge(self._calibrating, params, self.stats)
            module(x)
            found = _values(nnx.state(module, nnx.BatchStat))
            return jax.tree.map(jnp.add, total, found), None

        zeros = jax.tree.map(jnp.zeros_like, self.stats)
        total, _ = jax.lax.scan(add, zeros, batches)
        return jax.tree.map(lambda leaf: leaf / batches.shape[0], total)

    def _merge(
        self,
        graphdef: nnx.GraphDef,
        params: Params,
        stats: Stats,
        key: jax.Array | None = None,
    ) -> Any:
        """Build the module again, with these weights, statistics and random streams."""
        given = flatten(params) | flatten(stats)
        leaves = {}
        for number, (path, variable) in enumerate(nnx.to_flat_state(self._state)):
            value = given.get(tuple(map(str, path)), variable.get_value())
            if key is not None and issubclass(variable.type, nnx.RngKey):
                value = jax.random.fold_in(key, number)
            leaves[path] = variable.replace(value)
        return nnx.merge(graphdef, nnx.from_flat_state(leaves))


def functional(module: nnx.Module) -> Standalone:
    """Take an ordinary module apart.

    Args:
      module: from `Supernet.subnet`: `module(x) -> logits`. Its mode is changed.

    Returns:
      The network as pure functions.
    """
    for part in (part for _, part in nnx.iter_modules(module)):
        if isinstance(part, nnx.BatchNorm):
            # What is kept after a pass is then that batch's statistics alone.
            part.momentum = 0.0
    module.train()
    training = nnx.graphdef(module)
    module.set_attributes(deterministic=True, raise_if_not_found=False)
    calibrating = nnx.graphdef(module)
    module.eval()
    inferring, state = nnx.split(module)
    return Standalone(
        _values(nnx.state(module, nnx.Param)),
        _values(nnx.state(module, nnx.BatchStat)),
        training,
        calibrating,
        inferring,
        state,
    )


def _values(state: nnx.State) -> dict[str, Any]:
    return unflatten(
        {
            tuple(map(str, path)): variable.get_value()
            for path, variable in nnx.to_flat_state(state)
        }
    )

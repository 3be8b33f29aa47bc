"""Training architectures alone by one compiled program, for the truth of rankings.

A supernet's forward pass and gradients at one architecture are those of that network by
itself, and fresh weights are the supernet's own. Trained at a single architecture from
fresh weights, a supernet therefore is that network, trained alone; and because the
architecture is data, hundreds of networks need one program. A training is one call:
`lax.scan` over its steps. Several devices train different architectures side by side.

Letters in shapes: N devices on the data axis, D decisions.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, PartitionSpec

from nas.data import Augment, BatchOrder, Preprocessing
from nas.training.optimizer import Optimizer
from nas.training.standalone import standalone_key
from search_spaces import Architecture
from supernets import Supernet

DATA = "data"


@dataclasses.dataclass(frozen=True, eq=False)
class AloneTraining:
    """How every architecture is trained alone.

    Attributes:
      supernet: whose architectures, with plain weights.
      optimizer: of the whole training.
      preprocessing: from raw inputs to the network's.
      augment: of training images.
      order: how batches are drawn.
      steps: updates of the weights.
      mesh: the devices; those of its data axis train different architectures.
    """

    supernet: Supernet
    optimizer: Optimizer
    preprocessing: Preprocessing
    augment: Augment
    order: BatchOrder
    steps: int
    mesh: Mesh

    @property
    def workers(self) -> int:
        """N, how many architectures one call trains."""
        return self.mesh.shape[DATA]

    @functools.cached_property
    def program(self) -> Callable[..., tuple[Any, jax.Array]]:
        """The one program.

        `(genotypes int32[N, D], seeds int32[N], data) -> (params with a leading axis
        N, loss float32[N])`; the loss is the mean over the last tenth of the steps, not
        finite if any loss was not.
        """
        if self.workers == 1:
            return jax.jit(self._in_turn)
        split, whole = PartitionSpec(DATA), PartitionSpec()
        return jax.jit(
            jax.shard_map(
                self._in_turn,
                mesh=self.mesh,
                in_specs=(split, split, whole),
                out_specs=split,
                check_vma=False,
            )
        )

    def _in_turn(self, genotypes: jax.Array, seeds: jax.Array, data: Any) -> Any:
        """Train what this device was given: one architecture."""
        params, loss = self._train(genotypes[0], seeds[0], data)
        return jax.tree.map(lambda leaf: leaf[None], params), loss[None]

    def _train(
        self, genotype: jax.Array, seed: jax.Array, data: Mapping[str, jax.Array]
    ) -> tuple[Any, jax.Array]:
        supernet = self.supernet
        arch = Architecture.hard(supernet.space, genotype)
        tx = self.optimizer.build(self.steps)
        key = functools.partial(standalone_key, seed)
        params = supernet.init(key("init"))
        state = (params, tx.init(params), self.order.init(key("order")))

        def step(state: Any, number: jax.Array) -> tuple[Any, jax.Array]:
            params, moments, order = state
            order, indices = self.order.next(order, key("order", number + 1))
            inputs = self.augment(key("augment", number), data["inputs"][indices])
            x, labels = self.preprocessing(inputs), data["labels"][indices]

            def objective(params: Any) -> jax.Array:
                logits = supernet.apply(
                    params, None, arch, x, train=True, key=key("forward", number)
                ).logits
                return optax.softmax_cross_entropy_with_integer_labels(
                    logits, labels
                ).mean()

            loss, grads = jax.value_and_grad(objective)(params)
            updates, moments = tx.update(grads, moments, params)
            return (optax.apply_updates(params, updates), moments, order), loss

        (params, _, _), losses = jax.lax.scan(
            step, state, jnp.arange(self.steps, dtype=jnp.int32)
        )
        last = losses[-max(self.steps // 10, 1) :].mean()
        return params, jnp.where(jnp.isfinite(losses).all(), last, jnp.nan)

    def train(
        self, genotypes: np.ndarray, seeds: np.ndarray, data: Mapping[str, jax.Array]
    ) -> list[tuple[Any, float]]:
        """Train up to N architectures.

        Args:
          genotypes: `int32[n, D]`, n at most N; the rest of the devices repeat one.
          seeds: `int32[n]`, each decides all that is random in its training.
          data: raw `inputs` and `labels` of the weights split.

        Returns:
          For each the trained weights, and the loss at the end.
        """
        num = len(genotypes)
        rows = np.arange(self.workers) % num
        params, loss = self.program(
            np.asarray(genotypes, np.int32)[rows],
            np.asarray(seeds, np.int32)[rows],
            dict(data),
        )
        losses = np.asarray(jax.device_get(loss))
        return [
            (jax.tree.map(lambda leaf, n=n: leaf[n], params), float(losses[n]))
            for n in range(num)
        ]

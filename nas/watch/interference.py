"""Whether architectures pull their shared weights in opposite directions.

The cosine between the gradients of two architectures on the same batch, over the
weights that both use: above 0 a step for one also helps the other, below 0 it undoes
what the other needs (Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS
2020, arXiv 2001.06782; of supernets, Hu et al., "Generalizing Few-Shot NAS with
Gradient Matching", ICLR 2022, arXiv 2203.15207).
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nas.losses import mean_over_places
from nas.runtime.mesh import host
from nas.training.keys import role_key
from nas.training.step import State, TrainStep
from nas.watch.base import Watcher
from search_spaces import Architecture

if TYPE_CHECKING:
    from nas.run import Run


@dataclasses.dataclass(frozen=True)
class Interference(Watcher):
    """Compare gradients of pairs of random architectures on batches that train."""

    pairs: int = 8
    """Pairs of architectures, each with a batch of its own."""

    batch_size: int = 64
    """Examples in a batch."""

    LEAST: ClassVar[Mapping[str, int]] = {"pairs": 1, "batch_size": 1}

    def measure(self, run: "Run", state: State, step: int) -> dict[str, float]:
        """Compare gradients; see `Watcher.measure`.

        Pairs are drawn anew each time. A pair of equal architectures, which small
        spaces give, says nothing and is left out.

        Returns:
          `watch/interference_cosine`, `watch/interference_least` and
          `watch/interference_negative`: the mean, the least, and the fraction of pairs
          below 0; NaN if no pair differed.
        """
        split = run.on_device("weights")
        cosines = host(
            _cosines(
                run.train_step,
                self.pairs,
                min(self.batch_size, len(split)),
                state["params"],
                state["allowed"],
                {"inputs": split.inputs, "labels": split.labels},
                role_key(run.experiment.seed, "watch", step),
            )
        )
        found = np.asarray(cosines, np.float64)
        found = found[np.isfinite(found)]
        if not len(found):
            found = np.full(1, np.nan)
        below = float((found < 0).mean()) if np.isfinite(found).all() else np.nan
        return {
            "watch/interference_cosine": float(found.mean()),
            "watch/interference_least": float(found.min()),
            "watch/interference_negative": below,
        }


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _cosines(
    step: TrainStep,
    pairs: int,
    batch_size: int,
    params: Any,
    allowed: jax.Array,
    data: dict[str, jax.Array],
    key: jax.Array,
) -> jax.Array:
    """Measure pairs, one after another.

    Args:
      step: the train step, bound to its parts.
      pairs: how many.
      batch_size: B.
      params: shared weights with a leading axis S.
      allowed: `bool[S, D, O]`.
      data: `inputs` and `labels` of the weights split.
      key: of this measurement.

    Returns:
      `float32[pairs]`; NaN of equal architectures, and where a gradient is zero.
    """
    context = step.context
    num = data["labels"].shape[0]

    def one(_: None, pair: jax.Array) -> tuple[None, jax.Array]:
        k_paths, k_rows, k_augment, k_forward = jax.random.split(
            jax.random.fold_in(key, pair), 4
        )
        # Architectures of different sub-supernets share nothing.
        s = pair % allowed.shape[0]
        own = jax.tree.map(lambda leaf: leaf[s], params)
        genotypes = context.space.sample(k_paths, 2, allowed[s])
        rows = jax.random.randint(k_rows, (batch_size,), 0, num, jnp.int32)
        batch = step.batch(data, rows, k_augment)

        def loss(params: Any, arch: Architecture) -> jax.Array:
            logits = context.forward(params, arch, batch.x, k_forward).logits
            nll = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
            return mean_over_places(nll).mean()

        def gradient(genotype: jax.Array) -> tuple[Any, Any]:
            arch = Architecture.hard(context.space, genotype)
            return jax.grad(loss)(own, arch), context.activity(arch)

        # One after the other, which needs the memory of one.
        gradients, activity = jax.lax.map(gradient, genotypes)
        cosine = shared_cosine(gradients, activity)
        differ = (genotypes[0] != genotypes[1]).any()
        return None, jnp.where(differ, cosine, jnp.nan)

    return jax.lax.scan(one, None, jnp.arange(pairs, dtype=jnp.int32))[1]


def shared_cosine(gradients: Any, activity: Any) -> jax.Array:
    """Take the cosine of two gradients over the weights that both architectures use.

    Args:
      gradients: a tree of `float[2, ..]`.
      activity: a tree like it, broadcastable, above 0 where a weight is in use.

    Returns:
      `float32[]`; NaN where either is zero.
    """
    product = first = second = jnp.float32(0)
    leaves = zip(jax.tree.leaves(gradients), jax.tree.leaves(activity), strict=True)
    for gradient, used in leaves:
        both = (used[0] > 0) & (used[1] > 0)
        a, b = jnp.where(both, gradient.astype(jnp.float32), 0)
        product, first, second = (
            total + jnp.vdot(x, y, precision="highest")
            for total, x, y in ((product, a, b), (first, a, a), (second, b, b))
        )
    # Roots before they are multiplied: a product of squares would underflow.
    scale = jnp.sqrt(first) * jnp.sqrt(second)
    cosine = jnp.clip(product / jnp.where(scale > 0, scale, 1), -1, 1)
    return jnp.where(scale > 0, cosine, jnp.nan)

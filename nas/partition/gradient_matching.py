"""How differently two options of a decision would pull the shared weights.

Hu, Wang, Hong, Chen, Hsieh and Wang, "Generalizing Few-Shot NAS with Gradient
Matching", ICLR 2022, arXiv 2203.15207. Two options agree if the gradients of the shared
weights point the same way, whichever of them is taken. Everything about a comparison is
paired: one batch, one choice of everything else, all options.

Letters in shapes: R repeats, D decisions, O options, C candidate decisions.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.losses import CrossEntropy, Loss
from nas.partition.base import Probe
from search_spaces import Architecture, SearchSpace

CONTEXTS = ("hard", "soft")
COMPARES = ("outside", "both")
AVERAGES = ("all", "tensors")

Program = Callable[..., jax.Array]

# Slopes of the activity, which are products of a few shares of options, differ by more.
_SAME = 1e-5


@dataclasses.dataclass(frozen=True)
class GradientMatching:
    """The cosine distance between gradients of alternative options."""

    context: str = "hard"
    """What the other decisions take: hard, a fresh random architecture each repeat; or
    soft, all allowed options in equal parts."""

    compare: str = "outside"
    """Which weights: outside, those whose use does not depend on the decision; or both,
    every weight that both options use, also the decision's own."""

    average: str = "all"
    """all: one cosine over all weights together, which large gradients dominate; or
    tensors, the mean of a cosine for each tensor."""

    repeats: int = 100
    """Batches at most."""

    min_repeats: int = 10
    """Batches at least, before the order may be called stable."""

    stability: float = 0.9
    """Stop when so many of 200 bootstrap resamples of the repeats choose the same
    decision and groups; 0 never stops early."""

    batch_size: int = 64
    """Examples in a batch."""

    loss: Loss = dataclasses.field(default_factory=CrossEntropy)
    """Whose gradient it is."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        for name, allowed in (
            ("context", CONTEXTS),
            ("compare", COMPARES),
            ("average", AVERAGES),
        ):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"partition.score: {name} is {getattr(self, name)!r}; allowed: "
                    f"{', '.join(allowed)}."
                )
        if not 2 <= self.min_repeats <= self.repeats or self.batch_size < 1:
            raise UserError(
                f"partition.score: repeats {self.repeats}, min_repeats "
                f"{self.min_repeats} and batch_size {self.batch_size}; needed are 2 <= "
                "min_repeats <= repeats and a batch of at least 1."
            )
        if not 0 <= self.stability <= 1:
            raise UserError(
                f"partition.score: stability is {self.stability}; allowed: 0 to 1."
            )

    def measure(
        self,
        space: SearchSpace,
        tables: Sequence[np.ndarray],
        candidates: Sequence[int],
        probe: Probe,
        s: int,
        program: Program,
        settled: Callable[[np.ndarray], bool],
    ) -> np.ndarray:
        """Measure candidates on fresh batches until the order is stable.

        What was measured is kept after each repeat, and a killed run goes on from it.

        Args:
          space: the search space.
          tables: for each candidate `bool[D, O]`, under which it is alive.
          candidates: C indices of decisions.
          probe: for weights, data and memory.
          s: the sub-supernet.
          program: from `compile`.
          settled: whether the repeats so far, `[R, C, O, O]`, are enough.

        Returns:
          `float32[R, C, O, O]`; NaN where a pair is undefined: an option that is not
          allowed, or one under which no shared weight has a gradient.
        """
        name = f"distances_{s}"
        kept = probe.memory.load(name)
        shape = (0, len(candidates), space.max_options, space.max_options)
        samples = list(np.zeros(shape, np.float32) if kept is None else kept)
        weights = probe.weights(s)
        key = jax.random.fold_in(probe.key, s)
        with probe.progress(f"compare gradients {s}", self.repeats) as bar:
            while len(samples) < self.repeats:
                if len(samples) >= self.min_repeats and settled(np.stack(samples)):
                    break
                repeat = jax.random.fold_in(key, len(samples))
                rows = [
                    program(weights, table, np.int32(d), repeat, probe.data)
                    for d, table in zip(candidates, tables, strict=True)
                ]
                samples.append(np.stack([np.asarray(row) for row in rows]))
                probe.memory.save(name, np.stack(samples))
                bar.update(len(samples))
                probe.pause()
        return np.stack(samples)

    def compile(self, probe: Probe) -> Program:
        """Compile the distances of one decision; the decision is data.

        Args:
          probe: for the forward pass, the activity and the batches.

        Returns:
          `(params, table bool[D, O], decision int32[], key, data) -> float32[O, O]`.
        """
        context = probe.context
        space = context.space

        def distances(
            params: Any,
            table: jax.Array,
            decision: jax.Array,
            key: jax.Array,
            data: Any,
        ) -> jax.Array:
            k_batch, k_others, k_forward = jax.random.split(key, 3)
            batch = probe.draw(data, k_batch, self.batch_size)
            others = self._others(table, k_others)

            def loss(params: Any, option: jax.Array) -> jax.Array:
                arch = self._architecture(space, others, decision, option)
                outputs = context.forward(params, arch, batch.x, k_forward)
                return self.loss(outputs, batch.labels).mean()

            def gradient(option: jax.Array) -> Any:
                zeros = jax.tree.map(jnp.zeros_like, params)
                return jax.lax.cond(
                    table[decision, option],
                    lambda: jax.grad(loss)(params, option),
                    lambda: zeros,
                )

            def used(option: jax.Array) -> Any:
                arch = self._architecture(space, others, decision, option)
                return context.activity(arch)

            options = jnp.arange(space.max_options, dtype=jnp.int32)
            # One after another: side by side, convolutions would become grouped ones.
            gradients = jax.lax.map(gradient, options)
            activity = jax.lax.map(used, options)
            shared = self._shared(context.activity, space, table, decision, gradients)
            parts = [
                _products(g, a, m)
                for g, a, m in zip(
                    *map(jax.tree.leaves, (gradients, activity, shared)), strict=True
                )
            ]
            return self._distance(parts)

        return jax.jit(distances)

    def _others(self, table: jax.Array, key: jax.Array) -> jax.Array:
        """Give what all decisions take, `float32[D, O]` rows on the simplex."""
        allowed = table.astype(jnp.float32)
        if self.context == "soft":
            return allowed / allowed.sum(1, keepdims=True)
        logits = jnp.where(table, jnp.float32(0), -jnp.inf)
        drawn = jax.random.categorical(key, logits, axis=-1)
        return jax.nn.one_hot(drawn, table.shape[1], dtype=jnp.float32)

    def _architecture(
        self,
        space: SearchSpace,
        others: jax.Array,
        decision: jax.Array,
        option: jax.Array,
    ) -> Architecture:
        own = jax.nn.one_hot(option, others.shape[1], dtype=jnp.float32)
        rows = others.at[decision].set(own)
        if self.context == "soft":
            return Architecture.soft(space, rows)
        return Architecture.hard(space, rows.argmax(-1).astype(jnp.int32))

    def _shared(
        self,
        activity: Callable[[Architecture], Any],
        space: SearchSpace,
        table: jax.Array,
        decision: jax.Array,
        gradients: Any,
    ) -> Any:
        """Say which weights take part: 1 or 0, a tree like the weights."""
        if self.compare == "both":
            return jax.tree.map(lambda g: jnp.ones((1,) * (g.ndim - 1)), gradients)
        # A weight's use does not depend on a decision if it has the same slope in all
        # of its options, with everything else open.
        allowed = table.astype(jnp.float32)
        middle = allowed / allowed.sum(1, keepdims=True)

        def along(option: jax.Array) -> Any:
            step = jnp.zeros_like(middle).at[decision, option].set(1)
            _, slope = jax.jvp(
                lambda rows: activity(Architecture.soft(space, rows)),
                (middle,),
                (step,),
            )
            return slope

        slopes = jax.lax.map(along, jnp.arange(space.max_options, dtype=jnp.int32))
        take = table[decision]

        def same(slope: jax.Array) -> jax.Array:
            where = take.reshape(-1, *(1,) * (slope.ndim - 1))
            low = jnp.where(where, slope, jnp.inf).min(0)
            high = jnp.where(where, slope, -jnp.inf).max(0)
            return (high - low < _SAME).astype(jnp.float32)

        return jax.tree.map(same, slopes)

    def _distance(self, parts: Sequence[tuple[jax.Array, jax.Array]]) -> jax.Array:
        if self.average == "all":
            products, norms = (
                jnp.stack(both).sum(0) for both in zip(*parts, strict=True)
            )
            return 1 - _cosine(products, norms)
        cosines = jnp.stack([_cosine(p, n) for p, n in parts])
        return 1 - jnp.nanmean(cosines, axis=0)


def _products(
    gradient: jax.Array, used: jax.Array, shared: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Give inner products of gradients, and squared norms where the other is in use.

    Args:
      gradient: `[O, ..]`.
      used: the activity under each option, broadcastable to it.
      shared: `[..]`, ones and zeros, broadcastable.

    Returns:
      `float32[O, O]` twice: `<g_i, g_j>`, and `|g_i|^2` over what option j uses too.
    """
    g = gradient.astype(jnp.float32) * shared[None]
    used = jnp.broadcast_to(used > 0, g.shape).astype(jnp.float32)
    flat = g.reshape(g.shape[0], -1)
    pairs = jnp.matmul(flat, flat.T, precision="highest")
    squares = jnp.square(flat)
    norms = jnp.matmul(squares, used.reshape(flat.shape).T, precision="highest")
    return pairs, norms


def _cosine(products: jax.Array, norms: jax.Array) -> jax.Array:
    """Divide, where neither norm is zero; NaN elsewhere."""
    lengths = jnp.sqrt(norms)  # before they are multiplied: squares would underflow
    scale = lengths * lengths.T
    cosine = jnp.clip(products / jnp.where(scale > 0, scale, 1), -1, 1)
    return jnp.where(scale > 0, cosine, jnp.nan)


def alive_table(space: SearchSpace, table: np.ndarray, d: int) -> np.ndarray | None:
    """Narrow a table to the architectures in which a decision has an effect.

    Args:
      space: the search space.
      table: `bool[D, O]`, closed under the conditions.
      d: the decision.

    Returns:
      `bool[D, O]`; None if the decision never has an effect under the table.
    """
    narrowed = table.copy()
    condition = space.conditions[d]
    while condition is not None:
        parent, under = condition
        narrowed[parent] &= under
        if not narrowed[parent].any():
            return None
        condition = space.conditions[parent]
    return narrowed

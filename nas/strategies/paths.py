"""Train K discrete architectures a step, on one batch, with one update.

One path a step is single-path one-shot training (Guo et al. 2020, arXiv 1904.00420);
several are what fair sampling and the sandwich rule build on (Chu et al. 2021, arXiv
1907.01845; Yu et al. 2020, arXiv 2003.11142), whose gradients are summed.
"""

import dataclasses
import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from nas.errors import UserError
from nas.losses import CrossEntropy, Loss
from nas.samplers import Feedback, Sampler, Uniform
from nas.strategies.base import Gradients, State, Strategy
from nas.training.context import Batch, Context
from search_spaces import Architecture, SearchSpace
from supernets import Outputs

REDUCTIONS = ("sum", "mean")


@dataclasses.dataclass(frozen=True)
class Paths(Strategy):
    """Train the architectures that a sampler draws."""

    SPLITS: ClassVar[tuple[str, ...]] = ("weights",)

    sampler: Sampler = dataclasses.field(default_factory=Uniform)
    """Which architectures a step trains."""

    loss: Loss = dataclasses.field(default_factory=CrossEntropy)
    """What they minimise."""

    reduction: str = "sum"
    """How the gradients of a step's architectures are combined: sum or mean."""

    def __post_init__(self) -> None:
        """Check the reduction."""
        if self.reduction not in REDUCTIONS:
            raise UserError(
                f"strategy: reduction is {self.reduction!r}; allowed: "
                f"{', '.join(REDUCTIONS)}."
            )

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Make the sampler's state; see `Strategy.init`."""
        return self.sampler.init(key, space)

    def gradients(
        self,
        context: Context,
        state: State,
        params: Any,
        batches: dict[str, Batch],
        key: jax.Array,
        allowed: jax.Array,
    ) -> Gradients:
        """Scan over the sampled architectures; see `Strategy.gradients`."""
        batch = batches["weights"]
        k_sample, k_forward = jax.random.split(key)
        draw = self.sampler.sample(state, context, k_sample, allowed)
        num = draw.genotypes.shape[0]
        scale = draw.weight / num if self.reduction == "mean" else draw.weight
        one = functools.partial(self._one, context, params, batch)
        keys = jax.random.split(k_forward, num)
        grads, measured = _accumulate(one, (draw.genotypes, scale, keys))
        feedback = Feedback(
            draw.genotypes,
            measured["loss"],
            measured["score"].mean(0) if "score" in measured else None,
            measured.get("sqnorm"),
        )
        architectures = jax.vmap(functools.partial(Architecture.hard, context.space))(
            draw.genotypes
        )
        return Gradients(
            grads,
            self.sampler.update(state, feedback),
            architectures,
            measured["loss"].mean(),
            measured["accuracy"].mean(),
            feedback.example_score,
        )

    def _one(
        self, context: Context, params: Any, batch: Batch, inputs: Any
    ) -> tuple[Any, dict[str, jax.Array]]:
        genotype, scale, key = inputs
        arch = Architecture.hard(context.space, genotype)

        def objective(params: Any) -> tuple[jax.Array, tuple[jax.Array, Outputs]]:
            outputs = context.forward(params, arch, batch.x, key)
            losses = self.loss(outputs, batch.labels)
            return scale * batch.mean(losses), (losses, outputs)

        (_, (losses, outputs)), grads = jax.value_and_grad(objective, has_aux=True)(
            params
        )
        correct = outputs.logits.argmax(-1).astype(jnp.int32) == batch.labels
        measured = {
            "loss": losses.mean(),
            "accuracy": correct.mean(dtype=jnp.float32),
        }
        if "example_score" in self.sampler.NEEDS | context.needs:
            measured["score"] = self._score(outputs, batch.labels)
        if "option_sqnorm" in self.sampler.NEEDS:
            measured["sqnorm"] = option_sqnorm(context, arch, grads)
        return grads, measured

    def _score(self, outputs: Outputs, labels: jax.Array) -> jax.Array:
        """Give the norm of each example's gradient at the logits, `float32[B]`."""

        def total(logits: jax.Array) -> jax.Array:
            return self.loss(outputs._replace(logits=logits), labels).sum()

        grads = jax.grad(total)(outputs.logits)
        return jnp.linalg.norm(grads.reshape(len(grads), -1), axis=1)


def option_sqnorm(context: Context, arch: Architecture, grads: Any) -> jax.Array:
    """Share the squared gradient among the options that an architecture takes.

    The activity of a weight is a product over the decisions it depends on; its
    derivative by an option's weight says which squared gradients that option owns.

    Args:
      context: for the activity.
      arch: hard.
      grads: a tree like the weights.

    Returns:
      `float32[D, O]`; zero for options that are not taken, and for decisions on which
      no weight depends.
    """
    squares = jax.tree.map(lambda g: jnp.square(g.astype(jnp.float32)), grads)

    def owned(weights: jax.Array) -> jax.Array:
        used = context.activity(dataclasses.replace(arch, weights=weights))
        parts = jax.tree.map(lambda u, s: jnp.sum(u * s), used, squares)
        return jnp.sum(jnp.stack(jax.tree.leaves(parts)))

    return jnp.where(arch.weights > 0, jax.grad(owned)(arch.weights), 0)


def _accumulate(one: Any, inputs: Any) -> tuple[Any, dict[str, jax.Array]]:
    """Sum gradients over the leading axis of inputs, and stack the rest."""
    first = jax.tree.map(lambda leaf: leaf[0], inputs)
    num = jax.tree.leaves(inputs)[0].shape[0]
    if num == 1:
        grads, measured = one(first)
        return grads, jax.tree.map(lambda leaf: leaf[None], measured)
    shapes = jax.eval_shape(one, first)[0]
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def add(total: Any, inputs: Any) -> tuple[Any, dict[str, jax.Array]]:
        grads, measured = one(inputs)
        return jax.tree.map(jnp.add, total, grads), measured

    return jax.lax.scan(add, zeros, inputs)

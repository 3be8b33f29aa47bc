"""Train K discrete architectures a step, on one batch, with one update.

One path a step is single-path one-shot training (Guo et al. 2020, arXiv 1904.00420);
several are what fair sampling and the sandwich rule build on (Chu et al. 2021, arXiv
1907.01845; Yu et al. 2020, arXiv 2003.11142), whose gradients are summed. With the
largest first, the others may learn from it in the same step: in-place distillation (Yu
and Huang 2019, arXiv 1903.05134), as BigNAS, AlphaNet (Wang et al. 2021, arXiv
2102.07954) and, beside the labels, once-for-all networks (Cai et al. 2020, arXiv
1908.09791) do.
"""

import dataclasses
import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from nas.errors import UserError
from nas.losses import CrossEntropy, Divergence, Divergences, Loss
from nas.samplers import Draw, Feedback, Sampler, Uniform
from nas.strategies.accumulation import Measured, accumulate, shares, spread
from nas.strategies.base import Gradients, State, Strategy
from nas.training.context import Batch, Context
from search_spaces import Architecture, SearchSpace
from supernets import Outputs

REDUCTIONS = ("sum", "mean")


@dataclasses.dataclass(frozen=True)
class Paths(Strategy):
    """Train the architectures that a sampler draws.

    The loss that is logged, and that the sampler is told, is of each architecture what
    it minimises: the loss with the labels, or the divergence from the first; without
    `regularize`.
    """

    SPLITS: ClassVar[tuple[str, ...]] = ("weights",)

    sampler: Sampler = dataclasses.field(default_factory=Uniform)
    """Which architectures a step trains."""

    loss: Loss = dataclasses.field(default_factory=CrossEntropy)
    """What they minimise."""

    reduction: str = "sum"
    """How the gradients of a step's architectures are combined: sum or mean."""

    students: Divergence | None = None
    """What all but the first architecture of a step minimise, against the first's
    outputs, which are constant to them; None: the same loss as the first. It needs a
    sampler whose first architecture is the largest."""

    label_weight: float = 0.0
    """By what the students' loss with the labels is multiplied, beside the divergence;
    0: they see no labels (BigNAS, AlphaNet); 1: once-for-all networks."""

    regularize: float = 0.0
    """The coefficient r of a loss `r / 2 * (sum of squared weights)` that the first
    architecture alone adds to its own, over the weights that it uses (BigNAS); set the
    optimizer's weight_decay to 0 with it. It needs a sampler whose first architecture
    is the largest."""

    spread: bool = False
    """Whether each device of the data axis trains other architectures, on its share of
    the batch, instead of all training each on the whole. That is the same in
    expectation, for less work. Batch norms then see the device's examples only, so
    their part differs in expectation too. A first architecture that students learn from
    is trained on the whole batch. With one device nothing changes."""

    def __post_init__(self) -> None:
        """Check the reduction, and what needs a largest architecture."""
        if self.reduction not in REDUCTIONS:
            raise UserError(
                f"strategy: reduction is {self.reduction!r}; allowed: "
                f"{', '.join(REDUCTIONS)}."
            )
        for name in ("label_weight", "regularize"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"strategy: {name} is {getattr(self, name)}, it must not be below "
                    "0."
                )
        if self.label_weight and self.students is None:
            raise UserError(
                f"strategy: label_weight is {self.label_weight}, but without students "
                "every architecture minimises the loss with the labels; give students, "
                "such as KLDivergence(), or set label_weight to 0."
            )
        for name in ("students", "regularize"):
            if getattr(self, name) and not self.sampler.leads:
                raise UserError(
                    f"strategy: {name} is {getattr(self, name)}, but the sampler "
                    f"{type(self.sampler).__name__} does not draw the largest "
                    "architecture first; take one that does, such as Sandwich()."
                )

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Make the sampler's state; see `Strategy.init`."""
        return self.sampler.init(key, space)

    def check(self, context: Context, mesh: Mesh) -> None:
        """Refuse a step that devices cannot share; see `Strategy.check`."""

        def drawn(key: jax.Array) -> jax.Array:
            state = self.sampler.init(key, context.space)
            allowed = jnp.asarray(context.space.valid)
            return self.sampler.sample(state, context, key, allowed).genotypes

        num = jax.eval_shape(drawn, jax.random.key(0)).shape[0]
        if self.spread:
            shares(mesh, num - 1 if self.students is not None else num)

    def health(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, jax.Array]:
        """Give the sampler's; see `Strategy.health`."""
        return self.sampler.health(state, context, allowed)

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
        k_sample, k_forward = jax.random.split(key)
        draw = self.sampler.sample(state, context, k_sample, allowed)
        batch = batches["weights"]
        grads, measured = self._train(context, params, batch, draw, k_forward)
        feedback = Feedback(
            draw.genotypes,
            measured["loss"],
            measured.get("score"),
            measured.get("sqnorm"),
            measured.get("count"),
            draw.weight,
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

    def _train(
        self, context: Context, params: Any, batch: Batch, draw: Draw, key: jax.Array
    ) -> tuple[Any, Measured]:
        """Combine the gradients of a step's architectures, and stack what they did."""
        num = draw.genotypes.shape[0]
        scale = draw.weight / num if self.reduction == "mean" else draw.weight
        inputs = (draw.genotypes, scale, jax.random.split(key, num))
        if self.students is None:
            grads, measured = self._each(context, params, (batch, None), inputs, key)
        else:
            grads, measured = self._taught(context, params, batch, inputs, key)
        if self.regularize:
            used = context.activity(Architecture.hard(context.space, inputs[0][0]))
            rate = scale[0] * self.regularize
            decay = jax.tree.map(lambda w, a: jnp.where(a > 0, w, 0), params, used)
            grads = jax.tree.map(
                lambda g, d: g + rate.astype(g.dtype) * d.astype(g.dtype), grads, decay
            )
        return grads, measured

    def _taught(
        self, context: Context, params: Any, batch: Batch, inputs: Any, key: jax.Array
    ) -> tuple[Any, Measured]:
        """Train the first architecture, and the others by what it says."""
        num = inputs[0].shape[0]
        first = jax.tree.map(lambda leaf: leaf[0], inputs)
        grads, measured, outputs = self._one(context, params, (batch, None), first)
        score = measured.pop("score", None)
        measured = jax.tree.map(lambda leaf: leaf[None], measured)
        if num > 1:
            # Taps need not have an entry for each example, so they stay behind.
            teacher = jax.lax.stop_gradient(outputs._replace(taps={}))
            rest = jax.tree.map(lambda leaf: leaf[1:], inputs)
            more, told = self._each(context, params, (batch, teacher), rest, key)
            grads = jax.tree.map(jnp.add, grads, more)
            if score is not None:
                score = (score + (num - 1) * told.pop("score")) / num
            measured = jax.tree.map(
                lambda a, b: jnp.concatenate([a, b]), measured, told
            )
        return grads, measured if score is None else measured | {"score": score}

    def _each(
        self, context: Context, params: Any, examples: Any, inputs: Any, key: jax.Array
    ) -> tuple[Any, Measured]:
        """Sum gradients over architectures that minimise the same; see `accumulate`.

        Args:
          context: what the engine gives.
          params: the weights.
          examples: the batch, and the teacher's outputs on it or None.
          inputs: genotypes, scales and keys, with a leading axis K.
          key: decides which devices train what.

        Returns:
          The gradients, and what was measured with a leading axis K, but for `score`,
          `float32[B]`, which is a mean over architectures.
        """

        def one(params: Any, examples: Any, inputs: Any) -> tuple[Any, Measured]:
            return self._one(context, params, examples, inputs)[:2]

        devices = shares(context.mesh, inputs[0].shape[0]) if self.spread else 1
        if context.mesh is None or devices == 1:
            return accumulate(one, params, examples, inputs)
        shift = jax.random.randint(key, (), 0, devices)
        return spread(one, context.mesh, params, examples, inputs, shift)

    def _one(
        self, context: Context, params: Any, examples: Any, inputs: Any
    ) -> tuple[Any, Measured, Outputs]:
        batch, teacher = examples
        genotype, scale, key = inputs
        arch = Architecture.hard(context.space, genotype)

        def objective(params: Any) -> tuple[jax.Array, tuple[jax.Array, Outputs]]:
            outputs = context.forward(params, arch, batch.x, key)
            losses = self._minimised(outputs, batch.labels, teacher)
            return scale * batch.mean(losses.surrogate), (losses.value, outputs)

        (_, (losses, outputs)), grads = jax.value_and_grad(objective, has_aux=True)(
            params
        )
        correct = outputs.logits.argmax(-1).astype(jnp.int32) == batch.labels
        measured = {
            "loss": losses.mean(),
            "accuracy": correct.mean(dtype=jnp.float32),
        }
        needs = self.sampler.needs | context.needs
        if needs & {"example_score", "example_feature_score"}:
            features = "example_feature_score" in needs
            measured["score"] = self._score(outputs, batch.labels, teacher, features)
        if "option_sqnorm" in needs:
            measured["sqnorm"] = option_sqnorm(context, arch, grads)
        if "option_count" in needs:
            measured["count"] = option_count(context, arch, params)
        return grads, measured, outputs

    def _minimised(
        self, outputs: Outputs, labels: jax.Array, teacher: Outputs | None
    ) -> Divergences:
        """Give what an architecture minimises of each example, `float32[B]`."""
        if self.students is None or teacher is None:
            losses = self.loss(outputs, labels)
            return Divergences(losses, losses)
        value, surrogate = self.students(outputs, teacher)
        if self.label_weight:
            losses = self.label_weight * self.loss(outputs, labels)
            value, surrogate = value + losses, surrogate + losses
        return Divergences(value, surrogate)

    def _score(
        self,
        outputs: Outputs,
        labels: jax.Array,
        teacher: Outputs | None,
        features: bool,
    ) -> jax.Array:
        """Give the norm of each example's gradient at the logits, `float32[B]`.

        With `features`, that of the gradient of a last linear layer's kernel.
        """

        def total(logits: jax.Array) -> jax.Array:
            moved = outputs._replace(logits=logits)
            return self._minimised(moved, labels, teacher).surrogate.sum()

        grads = jax.grad(total)(outputs.logits)
        if not features:
            return jnp.linalg.norm(grads.reshape(len(grads), -1), axis=1)
        # A kernel's gradient is a sum over places of outer products; its squared norm
        # needs only their inner products.
        shape = (len(grads), -1)
        seen = outputs.features.astype(jnp.float32)
        seen, grads = (leaf.reshape(*shape, leaf.shape[-1]) for leaf in (seen, grads))
        inner = [jnp.einsum("bsf,btf->bst", leaf, leaf) for leaf in (seen, grads)]
        return jnp.sqrt(jnp.maximum((inner[0] * inner[1]).sum((1, 2)), 0))


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
    return _owned(
        context,
        arch,
        jax.tree.map(lambda g: jnp.square(g.astype(jnp.float32)), grads),
    )


def option_count(context: Context, arch: Architecture, params: Any) -> jax.Array:
    """Count the weights of the options that an architecture takes.

    Args:
      context: for the activity.
      arch: hard.
      params: the weights, or their shapes.

    Returns:
      `float32[D, O]`; zero for options that are not taken or own no weights.
    """
    return _owned(
        context, arch, jax.tree.map(lambda p: jnp.ones(p.shape, jnp.float32), params)
    )


def _owned(context: Context, arch: Architecture, amounts: Any) -> jax.Array:
    """Share an amount of each weight among the options taken; see `option_sqnorm`."""

    def owned(weights: jax.Array) -> jax.Array:
        used = context.activity(dataclasses.replace(arch, weights=weights))
        parts = jax.tree.map(lambda u, s: jnp.sum(u * s), used, amounts)
        return jnp.sum(jnp.stack(jax.tree.leaves(parts)))

    return jnp.where(arch.weights > 0, jax.grad(owned)(arch.weights), 0)

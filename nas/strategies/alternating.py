"""Train architecture parameters and weights in turn: DARTS and what came of it.

Each step moves the alphas on a batch of the search split, then the weights on a batch
of the weights split, each through an architecture that the alphas' relaxation draws.
The relaxation makes the method: `Softmax` is DARTS (Liu et al. 2019, arXiv 1806.09055),
`Dirichlet` DrNAS, `GumbelSoftmax` GDAS. On spaces whose options share weights, weights
are superposed, not outputs mixed (Sukthanker et al. 2024, arXiv 2312.10440).

A population of alphas, one for each preference between the objectives, lives on one
supernet: alphas are updated one after another within a step, for which the weights are
updated once. Training P populations apart takes 2 P passes forward and back a step;
this takes P + `paths`.

Letters in shapes: P preferences, D decisions, O options, M objectives, K architectures
that a step trains.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from nas.errors import UserError, check_least
from nas.losses import CrossEntropy, Loss
from nas.preferences import spread
from nas.relaxations import (
    AlphaOptimizer,
    Relaxation,
    Softmax,
    derive_all,
    describe,
)
from nas.strategies.accumulation import Measured, accumulate
from nas.strategies.base import Gradients, State, Strategy
from nas.strategies.unrolled import HESSIANS, unrolled_slope
from nas.training.context import Batch, Context
from search_spaces import Architecture, SearchSpace


@dataclasses.dataclass(frozen=True)
class Alternating(Strategy):
    """Train alphas and weights in turn."""

    SPLITS: ClassVar[tuple[str, ...]] = ("weights", "search")

    relaxation: Relaxation = dataclasses.field(default_factory=Softmax)
    """What alphas mean, and how architectures are drawn."""

    loss: Loss = dataclasses.field(default_factory=CrossEntropy)
    """What weights minimise, and alphas as their first objective."""

    alphas: AlphaOptimizer = dataclasses.field(default_factory=AlphaOptimizer)
    """How alphas are updated."""

    costs: tuple[str, ...] = ()
    """What alphas minimise besides the loss, such as macs or params: the expected cost
    as a share of the largest architecture's."""

    preferences: int = 1
    """P, how many alphas are trained, for preferences spread evenly from the loss alone
    to the costs alone."""

    directions: tuple[tuple[float, ...], ...] = ()
    """The weights of the loss and of each cost, one row for each preference, in place
    of evenly spread ones."""

    paths: int = 1
    """K, the preferences, drawn anew each step, whose architectures train the weights:
    1 to P, or 0 for all. Their gradients are averaged."""

    order: int = 1
    """1: the loss of the alphas is that at the present weights. 2: at the weights after
    their next step, through which is differentiated."""

    hessian: str = "differences"
    """How, for order 2: by differences of two gradients as published, or exact."""

    warmup: float = 0.0
    """The share of the training in which alphas stay as they are."""

    def __post_init__(self) -> None:
        """Check the ranges, and what belongs together."""
        if self.order not in (1, 2):
            raise UserError(f"strategy: order is {self.order}; allowed: 1, 2.")
        if self.hessian not in HESSIANS:
            raise UserError(
                f"strategy: hessian is {self.hessian!r}; allowed: "
                f"{', '.join(HESSIANS)}."
            )
        if not 0 <= self.warmup < 1:
            raise UserError(
                f"strategy: warmup is {self.warmup}, it must be from 0 to below 1."
            )
        check_least("strategy", self, preferences=1)
        for row in self.directions:
            if len(row) != 1 + len(self.costs) or min(row) < 0 or sum(row) <= 0:
                raise UserError(
                    f"strategy: directions has {row}; give a weight of at least 0 for "
                    f"the loss and for each of the {len(self.costs)} costs, not all 0."
                )
        if not 0 <= self.paths <= self.num_preferences:
            raise UserError(
                f"strategy: paths is {self.paths}; allowed: 1 to the number of "
                f"preferences, {self.num_preferences}, or 0 for all."
            )

    @property
    def num_preferences(self) -> int:
        """P."""
        return len(self.directions) or self.preferences

    @property
    def table(self) -> np.ndarray:
        """`float32[P, M]`, the preferences; rows are on the simplex."""
        if not self.directions:
            return spread(self.preferences, 1 + len(self.costs))
        rows = np.asarray(self.directions, np.float32)
        return rows / rows.sum(1, keepdims=True)

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Draw alphas near zero; see `Strategy.init`."""
        keys = [jax.random.fold_in(key, p) for p in range(self.num_preferences)]
        alphas = jnp.stack([self.relaxation.init(k, space) for k in keys])
        return {"alphas": alphas, "optimizer": self.alphas.build().init(alphas)}

    def check(self, context: Context, mesh: Mesh) -> None:
        """Refuse costs that the network does not count; see `Strategy.check`."""
        super().check(context, mesh)
        if not self.costs or context.cost is None:
            return
        rows = jnp.asarray(context.space.valid, jnp.float32)
        counted = jax.eval_shape(context.cost, rows)
        for name in self.costs:
            if name not in counted:
                raise UserError(
                    f"strategy: costs has {name!r}, which nothing counts; allowed: "
                    f"{', '.join(sorted(counted))}."
                )

    # -------------------------------------------------------------------- one step
    def gradients(
        self,
        context: Context,
        state: State,
        params: Any,
        batches: dict[str, Batch],
        key: jax.Array,
        allowed: jax.Array,
    ) -> Gradients:
        """Move the alphas, then differentiate the weights; see `Strategy.gradients`."""
        k_alphas, k_paths, k_weights = jax.random.split(key, 3)
        slopes = self.slopes(context, state, params, batches, k_alphas, allowed)
        state = self.moved(context, state, slopes)
        num = self.num_preferences
        taken = self.paths or num
        chosen = jax.random.permutation(k_paths, num)[:taken]
        keys = _keys(k_weights, taken)

        def one(params: Any, batch: Batch, inputs: Any) -> tuple[Any, Measured]:
            alphas, key = inputs
            grad = jax.value_and_grad(self._loss, argnums=1, has_aux=True)
            (loss, (correct, arch)), grads = grad(
                context, params, alphas, batch, key, allowed
            )
            grads = jax.tree.map(lambda g: g / taken, grads)
            return grads, {"loss": loss, "accuracy": correct, "arch": arch}

        inputs = (state["alphas"][chosen], keys)
        grads, measured = accumulate(one, params, batches["weights"], inputs)
        # Alphas that are no numbers must stop the run as weights that are none do.
        fine = jnp.isfinite(state["alphas"]).all()
        loss = jnp.where(fine, measured["loss"].mean(), jnp.nan)
        accuracy = measured["accuracy"].mean()
        return Gradients(grads, state, measured["arch"], loss, accuracy)

    def slopes(
        self,
        context: Context,
        state: State,
        params: Any,
        batches: dict[str, Batch],
        key: jax.Array,
        allowed: jax.Array,
    ) -> jax.Array:
        """Differentiate what each preference minimises by its own alphas.

        Args:
          context: what the engine gives.
          state: with alphas `float32[P, D, O]`.
          params: the weights, the same for all.
          batches: of both splits, the same for all.
          key: of this step.
          allowed: `bool[D, O]`.

        Returns:
          `float32[P, D, O]`.
        """

        def one(inputs: Any) -> jax.Array:
            alphas, preference, key = inputs
            k_search, k_train = jax.random.split(key)

            def objective(params: Any, alphas: jax.Array) -> jax.Array:
                loss, _ = self._loss(
                    context, params, alphas, batches["search"], k_search, allowed
                )
                values = [loss, *self.expected(context, alphas, allowed)]
                extra = self.relaxation.regularization(alphas, allowed)
                return preference @ jnp.stack(values) + extra

            if self.order == 1:
                return jax.grad(objective, argnums=1)(params, alphas)

            def trained(params: Any, alphas: jax.Array) -> tuple[jax.Array, Any]:
                loss, (_, arch) = self._loss(
                    context, params, alphas, batches["weights"], k_train, allowed
                )
                return loss, jax.tree.map(lambda leaf: leaf[None], arch)

            return unrolled_slope(
                objective, trained, params, alphas, _ahead(context), self.hessian
            )

        num = self.num_preferences
        inputs = (state["alphas"], jnp.asarray(self.table), _keys(key, num))
        if num == 1:
            return one(jax.tree.map(lambda leaf: leaf[0], inputs))[None]
        return jax.lax.map(one, inputs)  # never batched: branches would all run

    def moved(self, context: Context, state: State, slopes: jax.Array) -> State:
        """Update the alphas, unless they are to stay for now.

        Args:
          context: how far training is.
          state: the latest state.
          slopes: `float32[P, D, O]`.

        Returns:
          The next state.
        """
        step, optimizer = self.alphas.build().update(
            slopes, state["optimizer"], state["alphas"]
        )
        alphas: Any = optax.apply_updates(state["alphas"], step)
        new = {"alphas": alphas, "optimizer": optimizer}
        if not self.warmup:
            return new
        begun = jnp.asarray(context.progress, jnp.float32) >= self.warmup
        return jax.tree.map(lambda a, b: jnp.where(begun, a, b), new, state)

    def expected(
        self, context: Context, alphas: jax.Array, allowed: jax.Array
    ) -> list[jax.Array]:
        """Give each expected cost as a share of the largest architecture's.

        Args:
          context: for the costs.
          alphas: `float32[D, O]`.
          allowed: `bool[D, O]`.

        Returns:
          `float32[]` for each of `costs`.
        """
        if not self.costs:
            return []
        cost = _cost(context)
        mean = cost(self.relaxation.probabilities(alphas, allowed))
        largest = context.largest(allowed)
        most = cost(jax.nn.one_hot(largest, alphas.shape[1], dtype=jnp.float32))
        return [mean[name] / most[name] for name in self.costs]

    def _loss(
        self,
        context: Context,
        params: Any,
        alphas: jax.Array,
        batch: Batch,
        key: jax.Array,
        allowed: jax.Array,
    ) -> tuple[jax.Array, tuple[jax.Array, Architecture]]:
        """Draw an architecture, and measure it: loss, accuracy and what was drawn."""
        k_sample, k_forward = jax.random.split(key)
        rows = self.relaxation.sample(alphas, k_sample, context.progress, allowed)
        arch = self.relaxation.architecture(context.space, rows)
        outputs = context.forward(params, arch, batch.x, k_forward)
        correct = outputs.logits.argmax(-1).astype(jnp.int32) == batch.labels
        loss = batch.mean(self.loss(outputs, batch.labels))
        return loss, (correct.mean(dtype=jnp.float32), arch)

    # ------------------------------------------------------------- what came of it
    def derive(
        self, state: State, space: SearchSpace, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Give the architecture of each preference; see `Strategy.derive`."""
        alphas = state["alphas"]
        table = self._tables(space.valid if allowed is None else allowed)
        return derive_all(self.relaxation, space, alphas, table)

    def health(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, jax.Array]:
        """Say whether alphas decide, and whether for options without weights.

        Returns:
          `alpha_entropy`, the mean over preferences, from 1 down to 0; and
          `parameterless`, the share of decisions for which an option without weights is
          preferred where others have some: the known way in which gradient methods
          fail is that skip connections take all.
        """
        entropy = jax.vmap(self.relaxation.entropy, (0, None))
        found = {"alpha_entropy": entropy(jnp.asarray(state["alphas"]), allowed).mean()}
        if context.cost is None:
            return found
        free, choice = weightless(context, allowed)
        derived = [
            self.relaxation.derive(a, allowed, context.space) for a in state["alphas"]
        ]
        taken = (
            jnp.take_along_axis(free, jnp.stack(derived).T, axis=1) & choice[:, None]
        )
        num = jnp.maximum(choice.sum(), 1) * len(derived)
        found["parameterless"] = taken.sum() / num
        return found

    def scalars(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, float]:
        """Log probabilities and what is derived; see `Strategy.scalars`."""
        table = self._tables(allowed)
        told = describe(self.relaxation, context.space, state["alphas"], table)
        return {f"alphas/{name}": value for name, value in told.items()}

    def _tables(self, allowed: Any) -> np.ndarray:
        """Repeat `bool[D, O]` for each preference."""
        return np.repeat(np.asarray(allowed)[None], self.num_preferences, axis=0)


def weightless(context: Context, allowed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Say which options own no weights, where others of the same decision do.

    Args:
      context: for the costs.
      allowed: `bool[D, O]`.

    Returns:
      `bool[D, O]`, and `bool[D]`: which decisions have options of both kinds.
    """
    cost = _cost(context)
    even = allowed.astype(jnp.float32)
    even = even / even.sum(-1, keepdims=True)

    # An expectation is linear in each row: its slope is what each option costs.
    owns = jnp.abs(jax.grad(lambda rows: cost(rows)["params"])(even)) > 0
    free = allowed & ~owns
    return free, free.any(-1) & (allowed & owns).any(-1)


def _keys(key: jax.Array, num: int) -> jax.Array:
    """Give key p to whatever is p-th, however many there are."""
    return jax.vmap(lambda p: jax.random.fold_in(key, p))(jnp.arange(num))


def _cost(context: Context) -> Callable[[jax.Array], dict[str, jax.Array]]:
    if context.cost is None:
        raise ValueError("the context counts no costs; give it `cost`.")
    return context.cost


def _ahead(context: Context) -> Callable[[Any, Architecture], Any]:
    if context.ahead is None:
        raise ValueError("order 2 looks ahead; the context needs `ahead`.")
    return context.ahead

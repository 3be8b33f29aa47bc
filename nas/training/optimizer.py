"""Optimisers by Optax, with a schedule, clipping and a policy for unused weights."""

import abc
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nas.errors import UserError
from search_spaces import Architecture
from supernets import Supernet

SCHEDULES = ("cosine", "linear", "constant")
INACTIVE = ("skip", "decay_and_momentum")


@dataclasses.dataclass(frozen=True)
class Optimizer(abc.ABC):
    """An optimiser, its schedule, and what happens to weights that a step left out."""

    learning_rate: float = 0.05
    """The peak of the schedule."""

    weight_decay: float = 3e-4
    """The coefficient of weight decay."""

    schedule: str = "cosine"
    """How the learning rate falls after the warm-up: cosine, linear or constant."""

    warmup_steps: int = 0
    """Steps over which the learning rate first rises from zero."""

    final_fraction: float = 0.0
    """What the learning rate falls to, as a fraction of the peak."""

    clip_norm: float = 5.0
    """The global norm to which gradients are clipped; 0 clips nothing."""

    inactive: str = "skip"
    """Weights that no architecture of a step uses: skip leaves them and their optimiser
    state alone; decay_and_momentum moves them as the references' PyTorch code did."""

    def __post_init__(self) -> None:
        """Refuse what could not train."""
        if self.learning_rate <= 0:
            raise UserError(
                f"optimizer: learning_rate is {self.learning_rate}, it must be above 0."
            )
        for name in ("weight_decay", "warmup_steps", "final_fraction", "clip_norm"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"optimizer: {name} is {getattr(self, name)}, it must not be below "
                    "0."
                )
        if self.schedule not in SCHEDULES:
            raise UserError(
                f"optimizer: schedule is {self.schedule!r}; allowed: "
                f"{', '.join(SCHEDULES)}."
            )
        if self.inactive not in INACTIVE:
            raise UserError(
                f"optimizer: inactive is {self.inactive!r}; allowed: "
                f"{', '.join(INACTIVE)}."
            )

    @abc.abstractmethod
    def core(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
        """Build the optimiser without clipping.

        Args:
          learning_rate: by step.
        """

    def rate(self, steps: int) -> optax.Schedule:
        """Build the learning rate as a function of the step.

        Args:
          steps: of the whole training.
        """
        if self.warmup_steps >= steps and self.warmup_steps:
            raise UserError(
                f"optimizer: warmup_steps is {self.warmup_steps}, but training has "
                f"{steps} steps; warm up for fewer."
            )
        rest = steps - self.warmup_steps
        peak = self.learning_rate
        if self.schedule == "cosine":
            main = optax.cosine_decay_schedule(peak, rest, self.final_fraction)
        elif self.schedule == "linear":
            main = optax.linear_schedule(peak, peak * self.final_fraction, rest)
        else:
            main = optax.constant_schedule(peak)
        if not self.warmup_steps:
            return main
        warmup = optax.linear_schedule(0.0, peak, self.warmup_steps)
        return optax.join_schedules([warmup, main], [self.warmup_steps])

    def build(self, steps: int) -> optax.GradientTransformationExtraArgs:
        """Build the optimiser.

        Args:
          steps: of the whole training.

        Returns:
          What takes, besides gradients, what `extra` gives.
        """
        core = self.core(self.rate(steps))
        if not self.clip_norm:
            return optax.with_extra_args_support(core)
        return optax.chain(optax.clip_by_global_norm(self.clip_norm), core)

    def extra(
        self, supernet: Supernet, architectures: Architecture
    ) -> dict[str, jax.Array]:
        """Say what the update depends on besides gradients; by default nothing.

        Args:
          supernet: what is trained.
          architectures: the K of the step, stacked on a leading axis; traced.

        Returns:
          Arguments of the built optimiser's `update` by their names.
        """
        del supernet, architectures
        return {}


@dataclasses.dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum; decay is part of the gradient."""

    momentum: float = 0.9
    """Of the running mean of gradients."""

    nesterov: bool = False
    """Whether to look ahead along the momentum."""

    def core(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
        """Build it; see `Optimizer.core`."""
        return optax.chain(
            optax.add_decayed_weights(self.weight_decay),
            optax.sgd(learning_rate, self.momentum, self.nesterov),
        )


@dataclasses.dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, 1711.05101)."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.05

    beta_1: float = 0.9
    """Of the running mean of gradients."""

    beta_2: float = 0.999
    """Of the running mean of squared gradients."""

    def core(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
        """Build it; see `Optimizer.core`."""
        return optax.adamw(
            learning_rate, self.beta_1, self.beta_2, weight_decay=self.weight_decay
        )


def keep_inactive(
    tx: optax.GradientTransformation, active: Any, new: Any, old: Any
) -> Any:
    """Undo a step of the optimiser state where weights were not used.

    Args:
      tx: the optimiser.
      active: a tree like the weights, broadcastable to them; above 0 where used.
      new: the optimiser's state after the step.
      old: before it.

    Returns:
      The new state where weights were used, and for what belongs to no weight (step
      counts), the old state elsewhere.
    """
    used = optax.tree_utils.tree_map_params(
        tx,
        lambda leaf, mask: jnp.broadcast_to(mask > 0, leaf.shape),
        new,
        active,
        transform_non_params=lambda leaf: jnp.ones(jnp.shape(leaf), bool),
    )
    return jax.tree.map(jnp.where, used, new, old)

"""An update that depends on how complex the trained architecture is.

Jeon et al., "Subnet-Aware Dynamic Supernet Training for Neural Architecture Search",
CVPR 2025, arXiv 2503.10740 (DYNAS). One schedule for all architectures favours small
ones, which converge sooner: here the learning rate of large ones falls later. One
momentum for all mixes directions that disagree: here groups of alike architectures have
momenta of their own.

As in the released code: the peak is multiplied by (1 - t/T) to the power gamma, where
gamma falls linearly in the logarithm of the architecture's cost, from G for the
smallest to 1/G for the largest (G = 4); groups share the option of one decision, of
which the code draws an edge at random.

Where ours departs. The power is taken of whatever schedule is set: `linear` is the
released one. The cost is the multiply-accumulates unless parameters are asked for, as
in the code. Groups may also be equal intervals of that complexity. Of several
architectures in a step, which have one update, the complexity is the mean, and the
decision's option is the first one's. Which cost and which decision the paper's larger
spaces use could not be verified.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nas.errors import UserError
from nas.training.optimizer import SGD
from search_spaces import Architecture
from supernets import Supernet

COMPLEXITY = ("none", "rate", "momentum", "both")
MEASURES = ("macs", "params")


class SeparatedState(NamedTuple):
    """The state of a momentum that is kept by group.

    Attributes:
      count: `int32[]`, updates so far.
      momenta: for each group a tree like the weights.
    """

    count: jax.Array
    momenta: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class SubnetAwareSGD(SGD):
    """Momentum SGD whose rate, momentum or both depend on the architecture."""

    complexity: str = "both"
    """What depends on the architecture: none, rate, momentum or both."""

    power: float = 4.0
    """G: the schedule is raised to this power for the smallest architecture, and to one
    over it for the largest."""

    measure: str = "macs"
    """What complexity is the logarithm of: macs or params."""

    groups: int = 5
    """Momenta, each as large as the weights."""

    decision: str = ""
    """The decision whose option is the group; empty: equal intervals of complexity."""

    def __post_init__(self) -> None:
        """Refuse what could not train."""
        super().__post_init__()
        for name, allowed in (("complexity", COMPLEXITY), ("measure", MEASURES)):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"optimizer: {name} is {getattr(self, name)!r}; allowed: "
                    f"{', '.join(allowed)}."
                )
        if self.power < 1 or self.groups < 1:
            raise UserError(
                f"optimizer: power is {self.power} and groups {self.groups}; each must "
                "be at least 1."
            )

    @property
    def by_rate(self) -> bool:
        """Whether the learning rate depends on complexity."""
        return self.complexity in ("rate", "both")

    @property
    def by_momentum(self) -> bool:
        """Whether groups have momenta of their own."""
        return self.complexity in ("momentum", "both")

    def core(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
        """Build it; see `Optimizer.core`.

        Its update takes `complexity`, `float32[]` in [0, 1], and `group`, `int32[]`.
        Without them, as when one network trains alone, it is plain SGD.
        """
        num = self.groups if self.by_momentum else 1

        def init(params: Any) -> SeparatedState:
            zeros = tuple(jax.tree.map(jnp.zeros_like, params) for _ in range(num))
            return SeparatedState(jnp.int32(0), zeros)

        def update(
            updates: Any,
            state: Any,
            params: Any = None,
            *,
            complexity: jax.Array | None = None,
            group: jax.Array | None = None,
            **_: Any,
        ) -> tuple[Any, SeparatedState]:
            del params
            chosen = jnp.int32(0) if group is None or num == 1 else group
            step, momenta = self._moved(chosen, updates, state.momenta)
            rate = jnp.asarray(learning_rate(state.count))
            if self.by_rate and complexity is not None:
                rate = self.adapted(rate, state.count, complexity)
            moves = jax.tree.map(lambda m: -rate * m, step)
            return moves, SeparatedState(state.count + 1, momenta)

        return optax.chain(
            optax.add_decayed_weights(self.weight_decay),
            optax.GradientTransformationExtraArgs(init, update),
        )

    def _moved(
        self, chosen: jax.Array, grads: Any, momenta: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any, ...]]:
        """Move one group's momentum, and give the step before its rate."""

        def add(grad: jax.Array, momentum: jax.Array) -> jax.Array:
            return grad + self.momentum * momentum

        def chose(*leaves: jax.Array) -> jax.Array:
            return leaves[0] if len(leaves) == 1 else jax.lax.select_n(chosen, *leaves)

        momentum = jax.tree.map(add, grads, jax.tree.map(chose, *momenta))
        new = tuple(
            jax.tree.map(lambda a, b, g=g: jnp.where(chosen == g, a, b), momentum, old)
            for g, old in enumerate(momenta)
        )
        return jax.tree.map(add, grads, momentum) if self.nesterov else momentum, new

    def adapted(
        self, rate: jax.Array, count: jax.Array, complexity: jax.Array
    ) -> jax.Array:
        """Give the learning rate for a complexity; the warm-up is the same for all.

        Args:
          rate: `float32[]`, the schedule's.
          count: `int32[]`, updates so far.
          complexity: `float32[]`, from 0, the smallest architecture, to 1.

        Returns:
          `float32[]`.
        """
        power = self.power + (1 / self.power - self.power) * complexity
        adapted = self.learning_rate * (rate / self.learning_rate) ** power
        return jnp.where(count < self.warmup_steps, rate, adapted)

    def extra(
        self, supernet: Supernet, architectures: Architecture
    ) -> dict[str, jax.Array]:
        """Give `complexity` and `group` of a step; see `Optimizer.extra`.

        Raises:
          UserError: there is no such decision, or it has more options than groups.
        """
        ends = supernet.costs(np.stack([supernet.smallest(), supernet.largest()]))
        low, high = np.log(np.maximum(ends[self.measure], 1)).tolist()
        costs = jax.vmap(lambda arch: supernet.cost(arch)[self.measure])(architectures)
        # Where all cost the same, all are in the middle of the powers' range.
        if high > low:
            places = (jnp.log(jnp.maximum(costs, 1)) - low) / (high - low)
        else:
            places = jnp.full(costs.shape, _neutral(self.power), jnp.float32)
        complexity = jnp.clip(places.mean(), 0, 1).astype(jnp.float32)
        if not self.decision:
            group = jnp.floor(complexity * self.groups).astype(jnp.int32)
        else:
            d = self._decision(supernet)
            group = architectures.weights[0, d].argmax().astype(jnp.int32)
        group = jnp.minimum(group, self.groups - 1)
        return {"complexity": complexity, "group": group}

    def _decision(self, supernet: Supernet) -> int:
        names = supernet.space.names
        if self.decision not in names:
            raise UserError(
                f"optimizer: there is no decision {self.decision!r}; the space has "
                f"{', '.join(names)}."
            )
        d = names.index(self.decision)
        if supernet.space.num_options[d] > self.groups:
            raise UserError(
                f"optimizer: {self.decision} has {supernet.space.num_options[d]} "
                f"options, but groups is {self.groups}; set at least as many."
            )
        return d


def _neutral(power: float) -> float:
    """Give the complexity at which the schedule is raised to the power 1."""
    return 0.5 if power == 1 else (power - 1) / (power - 1 / power)

"""How alphas are updated: Adam, as every published gradient method has it."""

import dataclasses

import optax

from nas.errors import UserError


@dataclasses.dataclass(frozen=True)
class AlphaOptimizer:
    """Adam with decay as part of the gradient; the defaults are those of DARTS."""

    learning_rate: float = 3e-4
    """The size of a step; constant."""

    beta_1: float = 0.5
    """Of the running mean of gradients."""

    beta_2: float = 0.999
    """Of the running mean of squared gradients."""

    weight_decay: float = 1e-3
    """By what alphas are multiplied and added to their gradient."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.learning_rate > 0:
            raise UserError(
                f"alphas: learning_rate is {self.learning_rate}, it must be above 0."
            )
        if not self.weight_decay >= 0:
            raise UserError(
                f"alphas: weight_decay is {self.weight_decay}, it must not be below 0."
            )
        for name in ("beta_1", "beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"alphas: {name} is {getattr(self, name)}, it must be from 0 to "
                    "below 1."
                )

    def build(self) -> optax.GradientTransformation:
        """Build it; it treats every number by itself, so populations may be stacked."""
        return optax.chain(
            optax.add_decayed_weights(self.weight_decay),
            optax.adam(self.learning_rate, self.beta_1, self.beta_2),
        )

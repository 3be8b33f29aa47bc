"""GDAS on trained weights: one option of each decision drawn, run and differentiated.

Reference:
  Dong, Yang, "Searching for a robust neural architecture in four GPU hours", CVPR 2019,
  arXiv:1910.04465.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from nas.errors import check_least
from nas.relaxations import GumbelSoftmax, Relaxation
from nas.search.gradient import GradientController


@dataclasses.dataclass(frozen=True)
class GDAS(GradientController):
    """Follows the gradient of the loss by single options that are drawn and run."""

    hottest: float = 10.0
    """The temperature at the start; it falls linearly."""

    coldest: float = 0.1
    """The temperature at the end."""

    horizon: int = 200
    """Steps of the alphas until the temperature is at its end."""

    NAME: ClassVar[str] = "gdas"

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        _ = self.relaxation
        check_least("gdas", self, horizon=1)

    @property
    def relaxation(self) -> Relaxation:
        """Straight-through samples; see `GradientController.relaxation`."""
        return GumbelSoftmax(self.hottest, self.coldest)

    def progress(self, age: jax.Array) -> jax.Array:
        """Fall over the horizon; see `GradientController.progress`."""
        return jnp.minimum(age.astype(jnp.float32) / self.horizon, 1)

"""DrNAS on trained weights: mixtures drawn from distributions that learn.

Reference:
  Chen, Wang, Cheng, Tang, Hsieh, "DrNAS: Dirichlet neural architecture search", ICLR
  2021, arXiv:2006.10355.
"""

import dataclasses
from typing import ClassVar

from nas.relaxations import Dirichlet, Relaxation
from nas.search.gradient import GradientController


@dataclasses.dataclass(frozen=True)
class DrNAS(GradientController):
    """Follows the gradient of the loss by mixtures drawn from Dirichlet laws."""

    anchor: float = 0.001
    """By what the divergence from the flat distribution is multiplied in the loss."""

    NAME: ClassVar[str] = "drnas"

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        _ = self.relaxation

    @property
    def relaxation(self) -> Relaxation:
        """Dirichlet; see `GradientController.relaxation`."""
        return Dirichlet(self.anchor)

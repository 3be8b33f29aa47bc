"""DARTS on trained weights: all options mixed, in parts that follow the gradient.

Reference:
  Liu, Simonyan, Yang, "DARTS: differentiable architecture search", ICLR 2019,
  arXiv:1806.09055 (first order: trained weights do not follow).
"""

import dataclasses
from typing import ClassVar

from nas.relaxations import Relaxation, Softmax
from nas.search.gradient import GradientController


@dataclasses.dataclass(frozen=True)
class DARTS(GradientController):
    """Follows the gradient of the loss by mixtures of all options."""

    sparse: bool = False
    """Whether parts are those of sparsemax, which leaves options out, not softmax."""

    NAME: ClassVar[str] = "darts"

    @property
    def relaxation(self) -> Relaxation:
        """Softmax, or sparsemax; see `GradientController.relaxation`."""
        return Softmax("sparsemax" if self.sparse else "softmax")

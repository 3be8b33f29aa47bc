"""Whether an exported program computes what the supernet computed, and how nearly."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from nas.export.errors import ExportError


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two sets of logits of the same examples.

    Attributes:
      name: what was compared with what.
      max_difference: the largest absolute difference of two logits.
      max_reference: the largest absolute logit of the reference.
      num_examples: on how many.
    """

    name: str
    max_difference: float
    max_reference: float
    num_examples: int

    @property
    def relative(self) -> float:
        """The difference by the reference; infinite if it cannot be told."""
        if not np.isfinite(self.max_difference + self.max_reference):
            return float("inf")
        if self.max_reference == 0:
            return float("inf") if self.max_difference else 0.0
        return self.max_difference / self.max_reference

    def to_json(self) -> dict[str, Any]:
        """Write as JSON values."""
        return {
            "max_abs_difference": self.max_difference,
            "max_abs_reference": self.max_reference,
            "relative": self.relative,
            "num_examples": self.num_examples,
        }


def compare(name: str, found: np.ndarray, reference: np.ndarray) -> Comparison:
    """Compare logits.

    Args:
      name: such as `module_vs_supernet`.
      found: `float[N, ..]`.
      reference: the same shape.

    Returns:
      How far they are apart.

    Raises:
      ExportError: the shapes differ.
    """
    if found.shape != reference.shape:
        raise ExportError(
            f"Not exported: {name} compares logits of shape {list(found.shape)} with "
            f"{list(reference.shape)}."
        )
    found, reference = found.astype(np.float64), reference.astype(np.float64)
    return Comparison(
        name,
        float(np.abs(found - reference).max()),
        float(np.abs(reference).max()),
        len(reference),
    )


def require_parity(
    comparisons: Iterable[Comparison], tolerance: float, what: str
) -> None:
    """Refuse what differs by more than the tolerance, or is not finite.

    Args:
      comparisons: all that were made.
      tolerance: for `max|a - b| / max|b|`.
      what: the subnet, for the message.

    Raises:
      ExportError: one of them is beyond it; the message says by how much.
    """
    for comparison in comparisons:
        # Written so that a NaN is refused too.
        if not comparison.relative <= tolerance:
            found, _, reference = comparison.name.partition("_vs_")
            raise ExportError(
                f"{what} was not exported: the logits of {found} differ from those of "
                f"{reference} by up to {comparison.max_difference:.3g}, where the "
                f"largest is {comparison.max_reference:.3g} (relative "
                f"{comparison.relative:.3g}, allowed {tolerance:.3g}, on "
                f"{comparison.num_examples} examples). Check that weights and "
                "statistics are of this architecture, finite, and that the supernet's "
                "logits were computed in float32, in inference mode, with the same "
                "statistics."
            )

"""How a rank correlation moves while a supernet trains.

The architecture of the last step is often the best of the moment, so tau jumps from
step to step (Zhang et al., "Deeper Insights into Weight Sharing in Neural Architecture
Search", 2020, arXiv 2001.01431). One number at the end is one draw; the mean and the
spread over the last steps belong to it.
"""

import dataclasses

import numpy as np

from nas.errors import UserError


@dataclasses.dataclass(frozen=True)
class Curve:
    """Correlations by step.

    Attributes:
      steps: at which a correlation was measured, ascending.
      taus: of each; None where there was none.
    """

    steps: tuple[int, ...]
    taus: tuple[float | None, ...]

    def __post_init__(self) -> None:
        """Check that each step has its number, and that they are in order."""
        if len(self.steps) != len(self.taus) or not self.steps:
            raise UserError(
                f"ranking: a curve of {len(self.steps)} steps has {len(self.taus)} "
                "numbers; one for each step is needed, and at least one."
            )
        if any(a >= b for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise UserError(f"ranking: the steps {self.steps} are not ascending.")

    def last(self, points: int) -> dict[str, float | int | None]:
        """Describe the last points of the curve.

        Args:
          points: how many; fewer if there are fewer.

        Returns:
          `mean` and `std` (of a population of points, 0 for one) of their tau, and
          `points`, how many had one; None where none had.

        Raises:
          UserError: `points` is less than 1.
        """
        if points < 1:
            raise UserError(f"ranking: points is {points}, it must be at least 1.")
        known = [tau for tau in self.taus[-points:] if tau is not None]
        if not known:
            return {"mean": None, "std": None, "points": 0}
        mean, std = float(np.mean(known)), float(np.std(known))
        return {"mean": mean, "std": std, "points": len(known)}

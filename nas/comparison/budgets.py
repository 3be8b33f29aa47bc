"""What a run was given: examples, multiply-accumulates, seconds of its devices."""

import dataclasses
from collections.abc import Mapping

import numpy as np

Curve = tuple[np.ndarray, np.ndarray]
"""Steps `int[N]`, rising, and values `float[N]`."""

# A backward pass takes twice the multiply-accumulates of its forward pass.
FORWARD_AND_BACKWARD = 3
TITLES = {
    "steps": "updates of the weights",
    "examples": "examples seen, times subnets",
    "active_macs": "multiply-accumulates of the subnets that were trained",
    "device_seconds": "seconds of training, times devices",
}
_SCALARS = {name: f"budget/{name}" for name in TITLES if name != "steps"}
MEAN_MACS = "train/active_macs"


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much of each a run had used up, and when.

    Attributes:
      curves: total so far by step, by the names of `TITLES`; what a run did not log is
        absent.
    """

    curves: Mapping[str, Curve]

    def total(self, name: str) -> float | None:
        """Give the whole amount, None if it is not known."""
        found = self.curves.get(name)
        return None if found is None else float(found[1][-1])

    def at(self, name: str, steps: np.ndarray) -> np.ndarray | None:
        """Give the amount at some steps, a straight line between those known.

        Args:
          name: of `TITLES`.
          steps: `int[M]`.

        Returns:
          `float64[M]`, or None if it is not known.
        """
        found = self.curves.get(name)
        if found is None:
            return None
        at, amount = found
        return np.interp(steps, np.append(0, at), np.append(0.0, amount))


def read_budget(curves: Mapping[str, Curve], batch_size: int | None) -> Budget:
    """Read what was used up from the scalars of a run.

    Runs log `budget/examples` and others as totals so far. Without them the number of
    examples is steps times the batch, as if a step trained a single subnet.
    Multiply-accumulates can also be logged as the mean of an example's forward pass
    since the line before, `train/active_macs`.

    Args:
      curves: steps and values of each scalar.
      batch_size: examples of a step's batch, None if that is not known.

    Returns:
      The budget; without any training it has no curves.
    """
    found = {name: curves[key] for name, key in _SCALARS.items() if key in curves}
    steps = curves.get("train/loss", found.get("examples"))
    if steps is None:
        return Budget(found)
    at = np.asarray(steps[0])
    found["steps"] = (at, at.astype(np.float64))
    if "examples" not in found and batch_size is not None:
        found["examples"] = (at, at.astype(np.float64) * batch_size)
    if "active_macs" not in found and MEAN_MACS in curves and "examples" in found:
        at, mean = curves[MEAN_MACS]
        examples = np.interp(
            at, np.append(0, found["examples"][0]), np.append(0.0, found["examples"][1])
        )
        each = FORWARD_AND_BACKWARD * np.asarray(mean) * np.diff(examples, prepend=0.0)
        found["active_macs"] = (at, np.cumsum(each))
    return Budget(found)

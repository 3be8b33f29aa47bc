"""Times as ratios of alternating blocks, which other load on a machine moves least.

Contestants take turns at the same work, a block each, and change who goes first. A
ratio is taken within each round, so that what slows a whole round cancels; reported is
the median over rounds, with a bootstrap interval.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping

import numpy as np

Block = Callable[[int], None]
"""Does the work of round i, and returns when it is done."""

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
"""Processor seconds of the whole process leave out what others do meanwhile. Pinned to
one core (`taskset -c 0`), where no thread waits for another, they are the better ones
on a machine that is busy."""

LEAST_ROUNDS = 10
RESAMPLES = 5000


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A ratio of two times.

    Attributes:
      median: over rounds.
      low: the lower end of the 95 % interval of the median.
      high: the upper end.
      rounds: how many.
    """

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        """Write it as `1.52 (1.47 to 1.58)`."""
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def alternate(
    contestants: Mapping[str, Block],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Time contestants in turns.

    Args:
      contestants: by name; each is called with the number of the round.
      rounds: at least 10.
      warm_up: untimed calls of each beforehand, with round 0: they compile.
      clock: gives seconds.

    Returns:
      `float64[rounds]` seconds for each contestant.

    Raises:
      ValueError: too few rounds for a median with an interval.
    """
    if rounds < LEAST_ROUNDS:
        raise ValueError(
            f"rounds is {rounds}: the median of fewer than {LEAST_ROUNDS} says too "
            f"little on a shared machine. Give {LEAST_ROUNDS} or more."
        )
    for block in contestants.values():
        for _ in range(warm_up):
            block(0)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        start = number % len(names)
        for name in names[start:] + names[:start]:
            begin = clock()
            contestants[name](number)
            seconds[name].append(clock() - begin)
    return {name: np.asarray(times) for name, times in seconds.items()}


def ratio(times: np.ndarray, base: np.ndarray) -> Ratio:
    """Divide two contestants' times round by round.

    Args:
      times: `[rounds]` seconds of the one whose ratio it is.
      base: `[rounds]` seconds of the one that it is measured by.

    Returns:
      The median with its interval; above 1 the first was slower.
    """
    each = np.asarray(times) / np.asarray(base)
    low, high = bootstrap(each, np.median)
    return Ratio(float(np.median(each)), low, high, len(each))


def bootstrap(
    values: np.ndarray, statistic: Callable[..., np.ndarray], seed: int = 0
) -> tuple[float, float]:
    """Give the 95 % percentile-bootstrap interval of a statistic.

    Args:
      values: `[n]`.
      statistic: such as `np.median`; called with `axis`.
      seed: of the resampling.

    Returns:
      The lower and the upper end.

    Reference:
      Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(values), size=(RESAMPLES, len(values)))
    found = statistic(np.asarray(values)[drawn], axis=1)
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)

"""Whether each decision changes what the supernet answers.

A decision without effect is a defect, such as a branch whose scale is stuck at zero or
an option that nothing reads; what a search then says of it is noise.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import jax
import numpy as np

from nas.training.averaging import evaluated
from nas.training.keys import role_key
from nas.training.step import State
from nas.watch.base import Watcher
from search_spaces import SearchSpace

if TYPE_CHECKING:
    from nas.run import Run

# A change below this, relative to the loss, is rounding.
ROUNDING = 1e-7
# Genotypes drawn for each that is measured, among which a decision must be alive.
_DRAWN = 32


@dataclasses.dataclass(frozen=True)
class Effects(Watcher):
    """Change one decision at a time in random architectures, and see what it does.

    The architectures and the changes are the same at every step and, as far as the
    space's conditions let them, for every decision, so that curves compare. It costs
    at most (D + 1) x architectures evaluations on the search split.
    """

    architectures: int = 8
    """Random architectures in which each decision is changed."""

    LEAST: ClassVar[Mapping[str, int]] = {"architectures": 1}

    def measure(self, run: "Run", state: State, step: int) -> dict[str, float]:
        """Evaluate the architectures with and without each change; see `Watcher`.

        Returns:
          `watch/effect/<decision>`: the mean absolute change of the negative
          log-likelihood, in nats, over architectures in which the decision is alive;
          exactly 0 if no change was above rounding. `watch/decisions_without_effect`:
          how many of them are 0.
        """
        del step
        key = role_key(run.experiment.seed, "watch")
        pairs = changes(run.supernet.space, self.architectures, key)
        rows = np.concatenate([row for pair in pairs.values() for row in pair])
        distinct, places = np.unique(rows, axis=0, return_inverse=True)
        values = run.evaluator.evaluate(
            evaluated(state), state["allowed"], distinct, run.on_device("search")
        )
        nll = values["nll"][places.reshape(-1)]
        effects, start = {}, 0
        for decision, (before, _) in pairs.items():
            num = len(before)
            old, new = nll[start : start + 2 * num].reshape(2, num)
            start += 2 * num
            effects[f"watch/effect/{decision}"] = effect(old, new)
        none = sum(value == 0 for value in effects.values())
        return effects | {"watch/decisions_without_effect": float(none)}


def effect(before: np.ndarray, after: np.ndarray) -> float:
    """Average absolute changes; 0 if none of them is above rounding.

    Args:
      before: `float64[N]`.
      after: `float64[N]`.

    Returns:
      The mean of |after - before|.
    """
    change = np.abs(after - before)
    if (change <= ROUNDING * np.abs(before)).all():
        return 0.0
    return float(change.mean())


def changes(
    space: SearchSpace, num: int, key: jax.Array
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Draw architectures, and the same with one decision changed.

    Args:
      space: the search space.
      num: of architectures for each decision.
      key: decides all.

    Returns:
      By decision with more than one option, `int32[N, D]` before and after, canonical,
      N at most `num`; a decision that is alive in none that was drawn is left out.
    """
    k_rows, k_options = jax.random.split(key)
    pool = np.asarray(space.sample(k_rows, _DRAWN * num))
    draws = np.asarray(jax.random.uniform(k_options, pool.shape))
    alive = space.alive(pool)
    pairs = {}
    for d, (decision, options) in enumerate(
        zip(space.decisions, space.num_options, strict=True)
    ):
        found = np.flatnonzero(alive[:, d])[:num]
        if options < 2 or not len(found):
            continue
        before, after = pool[found], pool[found].copy()
        jump = 1 + np.floor(draws[found, d] * (options - 1)).astype(np.int32)
        after[:, d] = (before[:, d] + np.minimum(jump, options - 1)) % options
        pairs[decision.name] = (before, np.asarray(space.canonical(after)))
    return pairs

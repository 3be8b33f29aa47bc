"""Progressive shrinking: decisions open one after another while training goes on.

Cai, Gan, Wang, Zhang and Han, "Once-for-All: Train One Network and Specialize it for
Efficient Deployment", ICLR 2020, arXiv 1908.09791.
"""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.samplers.base import Draw, State
from nas.samplers.wrapping import Wrapping
from nas.training.context import Context
from search_spaces import SearchSpace


@dataclasses.dataclass(frozen=True)
class Stage:
    """From when on some decisions may take more than their most expensive option."""

    decisions: str
    """A regular expression for whole names of decisions."""

    start: float
    """The share of the training that is done when it begins, 0 to below 1."""

    options: int = 0
    """How many of the allowed options are open, the most expensive ones; 0: all."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.start < 1:
            raise UserError(
                f"sampler: the stage of {self.decisions!r} has start {self.start}; it "
                "is a share of the training, from 0 to below 1."
            )
        if self.options < 0:
            raise UserError(
                f"sampler: the stage of {self.decisions!r} has options {self.options}; "
                "allowed: 0 (all), 1, 2, .."
            )
        try:
            re.compile(self.decisions)
        except re.error as error:
            raise UserError(
                f"sampler: {self.decisions!r} of a stage is no regular expression: "
                f"{error}."
            ) from None


@dataclasses.dataclass(frozen=True)
class Progressive(Wrapping):
    """Let another sampler draw among the options that are open so far.

    A decision stays at its most expensive allowed option until a stage opens it. Ranks
    by cost are among what is allowed, so that a sub-supernet opens in the same way.
    What is open is a function of the progress of training and of nothing else.
    """

    stages: tuple[Stage, ...]
    """Which decisions open when; of two that opened one, the wider holds."""

    def __post_init__(self) -> None:
        """Check that there is a stage."""
        if not self.stages:
            raise UserError(
                "sampler: stages is empty, so only the largest architecture would ever "
                "be trained; give at least one stage."
            )

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Check the names, and make the inner sampler's state; see `Sampler.init`."""
        self._limits(space)
        return super().init(key, space)

    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw among what is open; see `Sampler.sample`."""
        return self.inner.sample(state, context, key, self.open(context, allowed))

    def open(self, context: Context, allowed: jax.Array) -> jax.Array:
        """Say which options are open.

        Args:
          context: the space, the order by cost, and how far training is.
          allowed: `bool[D, O]`.

        Returns:
          `bool[D, O]`, within `allowed`, at least one option of each decision.
        """
        starts, limits = self._limits(context.space)
        begun = jnp.asarray(context.progress, jnp.float32) >= starts
        limit = jnp.where(begun[:, None], limits, 1).max(0)
        order = jnp.where(allowed, jnp.asarray(context.cost_order), -1)
        above = (order[:, None, :] > order[:, :, None]).sum(-1)
        return allowed & (above < limit[:, None])

    def _limits(self, space: SearchSpace) -> tuple[Any, Any]:
        """Give `float32[stages]` starts, and `int32[stages, D]` open options."""
        limits = np.ones((len(self.stages), space.num_decisions), np.int32)
        for row, stage in zip(limits, self.stages, strict=True):
            named = [
                d
                for d, name in enumerate(space.names)
                if re.fullmatch(stage.decisions, name)
            ]
            if not named:
                raise UserError(
                    f"sampler: a stage opens {stage.decisions!r}, which matches no "
                    f"decision of {space.name!r}: {', '.join(space.names)}."
                )
            row[named] = stage.options or space.max_options
        starts = np.array([stage.start for stage in self.stages], np.float32)
        return starts, limits

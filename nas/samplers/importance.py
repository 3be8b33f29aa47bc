"""Draw options by the gradients that they last received.

The path half of Lu et al., "PA&DA: Jointly Sampling PAth and DAta for Consistent NAS",
CVPR 2023, arXiv 2302.14772. An option's importance is a running mean of the norm of the
gradient of its weights; it is drawn by a mixture of importance and uniform whose share
of importance grows with training.

An option without weights has no gradient. The released rule gives it the importance
zero, so that at the end nearly all paths are of convolutions; that prior, which needs
no gradient at all, is the control `importance="none"`. Here such an option has the
mean importance of the others, and every option a floor. Norms are of gradients before
clipping, which would hide the large ones; the released code takes them after it.

Letters in shapes: K architectures of a step, D decisions, O options.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.samplers.base import Draw, Feedback, Sampler, State
from nas.training.context import Context
from search_spaces import SearchSpace

ALLOWED = {
    "scope": ("decision", "global"),
    "normalise": ("none", "rms"),
    "parameter_free": ("mean", "zero"),
    "reweight": ("none", "unbiased", "self_normalised"),
    "importance": ("gradient", "none", "random"),
}


@dataclasses.dataclass(frozen=True)
class ImportancePaths(Sampler):
    """Draw each decision by a mixture of importance and uniform."""

    paths: int = 1
    """K, how many architectures a step trains on its batch."""

    most: float = 0.8
    """The share of importance at the end; it grows in proportion to progress."""

    scope: str = "decision"
    """decision: each has a distribution of its own; global: all share one, over options
    of the same names."""

    normalise: str = "none"
    """Of the norm: none; rms, divided by the root of the number of weights."""

    decay: float = 0.9
    """Of the running mean, by drawn step."""

    steps_per_epoch: int = 0
    """Steps after which probabilities are renewed and the running mean begins again; 0:
    they are renewed at each step, and it never does."""

    floor: float = 0.25
    """The least probability of an option, as a share of the uniform one."""

    parameter_free: str = "mean"
    """The importance of an option without a measured gradient: mean, that of the
    decision's others; zero."""

    reweight: str = "none"
    """What a path's loss is multiplied by: nothing; unbiased, its probability when
    uniform over that when drawn; self_normalised, the same divided by its running mean
    so far."""

    importance: str = "gradient"
    """Controls: none, no gradients, 1 for options with weights and 0 for others;
    random, scores that are drawn once."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.paths < 1 or self.steps_per_epoch < 0:
            raise UserError(
                f"sampler: paths is {self.paths} and steps_per_epoch "
                f"{self.steps_per_epoch}; at least 1, and at least 0."
            )
        for name in ("most", "floor", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(
                    f"sampler: {name} is {getattr(self, name)}, it must be from 0 to 1."
                )
        for name, allowed in ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"sampler: {name} is {getattr(self, name)!r}; allowed: "
                    f"{', '.join(allowed)}."
                )

    @property
    def needs(self) -> frozenset[str]:
        """See `Sampler.needs`."""
        norms = self.importance == "gradient"
        counts = self.normalise == "rms" if norms else self.importance == "none"
        wanted = {"option_sqnorm": norms, "option_count": counts}
        return frozenset(name for name, asked in wanted.items() if asked)

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Start without any gradient seen; see `Sampler.init`.

        Returns:
          `float32[D, O]` each: `running` and `held`, importances, below 0 where
          unknown, of which the second is drawn by; `count`, the options' weights,
          below 0 where unknown. And `varying`, `bool[D]`, decisions that have a
          choice; `steps`, `int32[]`, and `weight`, `float32[]`, the
          mean of all weights so far, beside a first 1.

        Raises:
          UserError: the scope is global, and decisions have different options; one
            that has no choice may have another.
        """
        varying = np.asarray(space.num_options) > 1
        options = {
            decision.options
            for decision, varies in zip(space.decisions, varying, strict=True)
            if varies
        }
        if self.scope == "global" and len(options) > 1:
            raise UserError(
                f"sampler: scope is global, but decisions of {space.name} have "
                "different options. Take scope decision."
            )
        unknown = jnp.full(space.valid.shape, -1, jnp.float32)
        held = unknown
        if self.importance == "random":
            shape = space.valid.shape if self.scope == "decision" else (1, len(held[0]))
            scores = jax.random.uniform(key, shape, jnp.float32)
            held = jnp.broadcast_to(scores, space.valid.shape)
        return {
            "running": unknown,
            "held": jnp.copy(held),
            "count": jnp.copy(unknown),
            "varying": jnp.asarray(varying),
            "steps": jnp.int32(0),
            "weight": jnp.float32(1),
        }

    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw K architectures; see `Sampler.sample`.

        At no mix every ratio is exactly 1, and the draw is the uniform sampler's.
        """
        space = context.space
        ratios = self.ratios(state, allowed, self.mix(state, context.progress))
        logits = jnp.where(allowed, jnp.log(ratios), -jnp.inf)
        shape = (self.paths, space.num_decisions)
        drawn = jax.random.categorical(key, logits[None], axis=-1, shape=shape)
        drawn = drawn.astype(jnp.int32)
        rows = jnp.arange(space.num_decisions)[None]
        log_ratio = jnp.log(ratios)[rows, drawn]
        uniform = jnp.log(allowed.sum(-1).astype(jnp.float32))[None]
        # What a dead decision drew has no part in the architecture's probability.
        live = jnp.where(space.alive(drawn), log_ratio, 0).sum(-1)
        weights = jnp.exp(-live) if self.reweight != "none" else jnp.ones_like(live)
        if self.reweight == "self_normalised":
            weights = weights / state["weight"]
        return Draw(space.canonical(drawn), (log_ratio - uniform).sum(-1), weights)

    def update(self, state: State, feedback: Feedback) -> State:
        """Follow the norms of the options that were drawn; see `Sampler.update`."""
        sqnorm, count = feedback.option_sqnorm, feedback.option_count
        weight = feedback.weight
        assert weight is not None
        steps = state["steps"] + 1
        new = {"steps": steps}
        if count is not None:
            new["count"] = jnp.maximum(state["count"], _seen(feedback, count))
        if self.reweight == "self_normalised":
            more = (weight * state["weight"]).mean() - state["weight"]
            new["weight"] = state["weight"] + more / (steps + 1).astype(jnp.float32)
        if self.importance != "gradient":
            return state | new
        assert sqnorm is not None
        # The norms are those of the path's own gradient, whatever it counts here.
        sqnorm = sqnorm / jnp.square(weight)[:, None, None]
        if self.normalise == "rms":
            sqnorm = sqnorm / jnp.maximum(new["count"], 1)[None]
        if self.scope == "global":
            sqnorm = jnp.where(state["varying"][None, :, None], sqnorm, 0)
        running = self._follow(state["running"], sqnorm)
        held = running
        if self.steps_per_epoch:
            ended = steps % self.steps_per_epoch == 0
            held = jnp.where(ended, running, state["held"])
            running = jnp.where(ended, -1, running)
        return state | new | {"running": running, "held": held}

    def health(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, jax.Array]:
        """Give the least probability of any option, and the mean entropy in nats."""
        ratios = self.ratios(state, allowed, self.mix(state, context.progress))
        num = allowed.sum(-1, keepdims=True).astype(jnp.float32)
        p = jnp.where(allowed, ratios, 0) / num
        entropy = -(p * jnp.log(jnp.where(p > 0, p, 1))).sum(-1)
        return {
            "paths/least_probability": jnp.where(allowed, p, 1).min(),
            "paths/entropy": entropy.mean(),
        }

    def mix(self, state: State, progress: jax.Array | float) -> jax.Array:
        """Give the share of importance, `float32[]`; of an epoch, that at its start."""
        progress = jnp.clip(jnp.float32(progress), 0, 1)
        if self.steps_per_epoch:
            steps = state["steps"]
            start = steps - steps % self.steps_per_epoch
            progress = progress * (start / jnp.maximum(steps, 1))
        return self.most * jnp.asarray(progress)

    def ratios(self, state: State, allowed: jax.Array, mix: jax.Array) -> jax.Array:
        """Give each option's probability times the number of allowed options.

        Args:
          state: the latest state.
          allowed: `bool[D, O]`.
          mix: `float32[]`, the share of importance.

        Returns:
          `float32[D, O]`, with the mean 1 over a decision's allowed options; exactly 1
          where `mix` is 0.
        """
        scores = self._scores(state, allowed)
        total = scores.sum(-1, keepdims=True)
        num = allowed.sum(-1, keepdims=True).astype(jnp.float32)
        relative = jnp.where(total > 0, num * scores / jnp.maximum(total, 1e-30), 1)
        return 1 + (1 - self.floor) * mix * (relative - 1)

    def _scores(self, state: State, allowed: jax.Array) -> jax.Array:
        """Give what the importance is in proportion to, 0 where not allowed."""
        if self.importance == "none":
            return jnp.where(allowed & (state["count"] != 0), jnp.float32(1), 0)
        known = allowed & (state["held"] >= 0)
        scores = jnp.where(known, state["held"], 0)
        if self.parameter_free == "zero" and self.importance == "gradient":
            return scores
        mean = scores.sum(-1, keepdims=True) / jnp.maximum(
            known.sum(-1, keepdims=True), 1
        ).astype(jnp.float32)
        return jnp.where(known, scores, jnp.where(allowed, mean, 0))

    def _follow(self, running: jax.Array, sqnorm: jax.Array) -> jax.Array:
        """Move the running mean towards the norms of a step's paths."""
        norm = jnp.sqrt(sqnorm)
        axes = (0, 1) if self.scope == "global" else (0,)
        taken = norm > 0
        num = taken.sum(axes, keepdims=True)[0]
        latest = norm.sum(axes, keepdims=True)[0] / jnp.maximum(num, 1).astype(
            jnp.float32
        )
        # The first norm is taken whole; it only scales with the others otherwise.
        moved = jnp.where(
            running >= 0, self.decay * running + (1 - self.decay) * latest, latest
        )
        return jnp.where(num > 0, moved, running)


def _seen(feedback: Feedback, count: jax.Array) -> jax.Array:
    """Give the taken options' numbers of weights, below 0 for those not taken."""
    options = jnp.arange(count.shape[-1])[None, None]
    taken = feedback.genotypes[..., None] == options
    return jnp.where(taken, count, -1).max(0)

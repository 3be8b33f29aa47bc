"""Draw examples by the gradients that they last gave.

The data half of Lu et al., "PA&DA: Jointly Sampling PAth and DAta for Consistent NAS",
CVPR 2023, arXiv 2302.14772. An example's importance is the norm of its loss' gradient
at the logits, which bounds that of its whole gradient (Katharopoulos and Fleuret 2018,
arXiv 1803.00942). At each new epoch the list of its examples is drawn anew, by a
mixture of importance and uniform whose share of importance grows with training.

The released code gives an example that was not seen in an epoch the importance zero,
so that the support shrinks; it halves the older of two scores; and it does not
re-weight, so that the objective drifts. Each is an option here, none the default but
the last: `published` settings are in `experiments.published.panda`.

Letters in shapes: B batch, N examples.
"""

import dataclasses

import jax
import jax.numpy as jnp

from nas.data_samplers.base import DataDraw, DataSampler, State
from nas.errors import UserError

NEEDED = {"logits": "example_score", "features": "example_feature_score"}
ALLOWED = {
    "draws": ("systematic", "replacement"),
    "score": tuple(NEEDED),
    "unvisited": ("keep", "zero", "mean"),
    "running": ("mean", "pairwise"),
    "reweight": ("none", "unbiased", "self_normalised"),
}
# The score of an example that was never scored; it then counts as the mean of others.
_UNKNOWN = -1.0


@dataclasses.dataclass(frozen=True)
class ImportanceData(DataSampler):
    """Draw each epoch by a mixture of importance and uniform."""

    most: float = 0.8
    """The share of importance at the end; it grows in proportion to progress."""

    draws: str = "systematic"
    """How an epoch's list is drawn. systematic: each example as often as is expected of
    it, rounded up or down at random; replacement: independently."""

    score: str = "logits"
    """An example's importance: logits, the norm of the loss' gradient there; features,
    of that of the last layer's kernel, which knows how large its features are."""

    unvisited: str = "keep"
    """The importance of an example that its last epoch did not draw: keep the latest,
    zero, or the mean of those it drew."""

    running: str = "mean"
    """The importance of an example drawn repeatedly in an epoch: the mean, or pairwise,
    in which each new score counts half."""

    floor: float = 0.0
    """The least probability of an example, as a share of the uniform one."""

    reweight: str = "none"
    """What an example's loss is multiplied by: nothing; unbiased, one over its
    probability times N; self_normalised, the same divided by the batch's mean."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("most", "floor"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(
                    f"data_sampler: {name} is {getattr(self, name)}, it must be from 0 "
                    "to 1."
                )
        for name, allowed in ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"data_sampler: {name} is {getattr(self, name)!r}; allowed: "
                    f"{', '.join(allowed)}."
                )

    @property
    def needs(self) -> frozenset[str]:
        """See `DataSampler.needs`."""
        return frozenset({NEEDED[self.score]})

    def init(self, key: jax.Array, num: int, batch_size: int) -> State:
        """Begin with a uniform epoch; see `DataSampler.init`.

        Returns:
          `order`, `int32[N]`, the epoch's list, and `position` in it; `scores`,
          `float32[N]`, below 0 where unknown; `visits`, `int32[N]`, of this epoch;
          `ratios`, `float32[N]`, each example's probability times N; and of the epoch
          `mix` and `distinct`, `float32[]`.
        """
        del batch_size
        return {
            "order": jax.random.permutation(key, jnp.arange(num, dtype=jnp.int32)),
            "position": jnp.int32(0),
            "scores": jnp.full((num,), _UNKNOWN, jnp.float32),
            "visits": jnp.zeros((num,), jnp.int32),
            "ratios": jnp.ones((num,), jnp.float32),
            "mix": jnp.float32(0),
            "distinct": jnp.float32(1),
        }

    def next(
        self,
        state: State,
        key: jax.Array,
        num: int,
        batch_size: int,
        progress: jax.Array | float,
    ) -> tuple[State, DataDraw]:
        """Take the next batch, of a new epoch if need be; see `DataSampler.next`."""
        finished = state["position"] > num - batch_size
        state = jax.lax.cond(
            finished,
            lambda: self._epoch(state, key, num, jnp.float32(progress)),
            lambda: state,
        )
        indices = jax.lax.dynamic_slice(
            state["order"], (state["position"],), (batch_size,)
        )
        moved = state | {"position": state["position"] + batch_size}
        return moved, DataDraw(indices, self._weights(state["ratios"][indices]))

    def update(self, state: State, indices: jax.Array, scores: jax.Array) -> State:
        """Follow the scores of a batch; see `DataSampler.update`."""
        known = jnp.isfinite(scores)
        value = jnp.where(known, scores, 0).astype(jnp.float32)
        if self.running == "pairwise":
            rows = (indices, value, known)
            (new, visits), _ = jax.lax.scan(
                _halve, (state["scores"], state["visits"]), rows
            )
            return state | {"scores": new, "visits": visits}
        count = jnp.zeros_like(state["visits"]).at[indices].add(known.astype(jnp.int32))
        total = jnp.zeros_like(state["scores"]).at[indices].add(value)
        visits = state["visits"] + count
        # An epoch's first score replaces what is older.
        before = state["scores"] * state["visits"].astype(jnp.float32)
        mean = (before + total) / jnp.maximum(visits, 1).astype(jnp.float32)
        scores = jnp.where(count > 0, mean, state["scores"])
        return state | {"scores": scores, "visits": visits}

    def health(self, state: State) -> dict[str, jax.Array]:
        """Give the share of examples that this epoch draws at all, and the mix."""
        return {"data/distinct": state["distinct"], "data/mix": state["mix"]}

    def ratios(self, state: State, mix: jax.Array) -> jax.Array:
        """Give each example's probability times N.

        Args:
          state: the latest state.
          mix: `float32[]`, the share of importance.

        Returns:
          `float32[N]`, whose mean is 1; all exactly 1 where `mix` is 0.
        """
        scores = state["scores"]
        known = scores >= 0
        if self.unvisited != "keep":
            known = state["visits"] > 0
        values = jnp.where(known, scores, 0)
        mean = values.sum() / jnp.maximum(known.sum(), 1).astype(jnp.float32)
        if self.unvisited != "zero":
            values = jnp.where(known, values, mean)
        level = values.mean()
        relative = jnp.where(level > 0, values / jnp.where(level > 0, level, 1), 1)
        return 1 + (1 - self.floor) * mix * (relative - 1)

    def _epoch(
        self, state: State, key: jax.Array, num: int, progress: jax.Array
    ) -> State:
        """Draw a new epoch's list."""
        mix = self.most * jnp.clip(progress, 0, 1)
        ratios = self.ratios(state, mix)
        order = self._draw(key, ratios, mix, num)
        drawn = jnp.zeros((num,), jnp.float32).at[order].set(1)
        return state | {
            "order": order,
            "position": jnp.int32(0),
            "visits": jnp.zeros_like(state["visits"]),
            "ratios": ratios,
            "mix": mix,
            "distinct": drawn.mean(),
        }

    def _draw(
        self, key: jax.Array, ratios: jax.Array, mix: jax.Array, num: int
    ) -> jax.Array:
        """Draw N examples; at no mix, a permutation by the same key as uniformly."""
        every = jnp.arange(num, dtype=jnp.int32)
        k_draw = jax.random.fold_in(key, 1)
        if self.draws == "replacement":
            chosen = jax.random.choice(k_draw, num, (num,), p=ratios / ratios.sum())
        else:
            # Equidistant points on the cumulative sum, all moved by one random offset.
            # In float32 a point is known to 0.4 % of a draw when N is 65,536.
            ends = jnp.cumsum(ratios)
            ends = ends * (num / ends[-1])
            offset = jax.random.uniform(k_draw, (), jnp.float32)
            points = every.astype(jnp.float32) + offset
            chosen = jnp.searchsorted(ends, points, side="right")
        chosen = jnp.minimum(chosen.astype(jnp.int32), num - 1)
        return jax.random.permutation(key, jnp.where(mix > 0, chosen, every))

    def _weights(self, ratios: jax.Array) -> jax.Array | None:
        if self.reweight == "none":
            return None
        weights = 1 / ratios
        return weights if self.reweight == "unbiased" else weights / weights.mean()


def _halve(
    carry: tuple[jax.Array, jax.Array], row: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[tuple[jax.Array, jax.Array], None]:
    """Take in one score as the released code does: each new one counts half."""
    scores, visits = carry
    index, value, known = row
    old = scores[index]
    new = jnp.where(visits[index] > 0, (old + value) / 2, value)
    scores = scores.at[index].set(jnp.where(known, new, old))
    return (scores, visits.at[index].add(known.astype(jnp.int32))), None

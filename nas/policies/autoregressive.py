"""An LSTM over decisions: what was chosen before decides what comes next.

At each decision a one-layer LSTM reads an embedding of the option taken by the decision
before; a head of the decision's own turns its output into logits. Embeddings and heads
are of one decision each, because option 1 of one decision has nothing to do with option
1 of another. Logits go through a temperature and a scaled hyperbolic tangent, which
keep the policy from settling too early. The preference is added to what the LSTM reads
at every decision, which the paper, with its one objective, does not need.

Reference:
  Pham, Guan, Zoph, Le, Dean, "Efficient neural architecture search via parameter
  sharing", ICML 2018, arXiv:1802.03268, section 2.2 and appendix A.
"""

import dataclasses
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.policies.base import Params, Policy, normalised
from search_spaces import SearchSpace

Carry = tuple[jax.Array, jax.Array]
"""The LSTM's output and its cell, `float32[P, H]` each."""


@dataclasses.dataclass(frozen=True)
class Autoregressive(Policy):
    """A one-layer LSTM with an embedding and a head for each decision."""

    hidden: int = 32
    """H, the width of the LSTM and of the embeddings."""

    temperature: float = 5.0
    """By what logits are divided; more explores more."""

    tanh_constant: float = 2.5
    """Logits t become c tanh(t), so that none leaves [-c, c]; 0: they stay as they
    are."""

    scale: float = 0.1
    """Parameters start uniform between minus this and this."""

    NAME: ClassVar[str] = "autoregressive"

    def __post_init__(self) -> None:
        """Refuse what is no network."""
        for name in ("hidden", "temperature", "scale"):
            if getattr(self, name) <= 0:
                raise UserError(
                    f"policy: {name} is {getattr(self, name)}, it must be above 0."
                )
        if self.tanh_constant < 0:
            raise UserError(
                f"policy: tanh_constant is {self.tanh_constant}, it must be above 0, "
                "or 0 for logits without a bound."
            )

    def init(self, key: jax.Array, space: SearchSpace, num_objectives: int) -> Params:
        """Draw all parameters from one uniform distribution."""
        d, o, h = space.num_decisions, space.max_options, self.hidden
        shapes = {
            # Row d embeds the option of decision d - 1; of row 0, entry 0 is the start.
            "embedding": (d, o, h),
            "preference": (num_objectives, h),
            "kernel": (2 * h, 4 * h),
            "bias": (4 * h,),
            "head": (d, h, o),
            "head_bias": (d, o),
        }
        # One draw, cut in pieces: each draw by itself takes a while to compile.
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
        drawn = jax.random.uniform(key, (ends[-1],), jnp.float32, -1, 1) * self.scale
        pieces = jnp.split(drawn, ends[:-1])
        return {
            name: piece.reshape(shape)
            for piece, (name, shape) in zip(pieces, shapes.items(), strict=True)
        }

    def log_probabilities(
        self,
        params: Params,
        space: SearchSpace,
        genotypes: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Give each decision's distribution; see `Policy.log_probabilities`."""
        # Only the LSTM itself must go from decision to decision.
        before = jnp.pad(genotypes, ((0, 0), (1, 0)))[:, :-1].T
        options, preferred = self._read(params, preference)
        # As a product, whose gradient is one too, not a scatter.
        gates = jax.nn.one_hot(before, space.max_options) @ options + preferred[None]

        def step(carry: Carry, each: jax.Array) -> tuple[Carry, jax.Array]:
            carry = self._step(params, carry, each)
            return carry, carry[0]

        _, outputs = jax.lax.scan(step, self._start(len(genotypes)), gates)
        return self._choose(_heads(params, space), outputs).transpose(1, 0, 2)

    def sample(
        self,
        params: Params,
        space: SearchSpace,
        key: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Draw one decision after another; see `Policy.sample`."""
        num, (options, preferred) = len(preference), self._read(params, preference)
        parents, tables = _conditions(space)

        def step(carry: Any, each: Any) -> tuple[Any, None]:
            lstm, genotypes, live = carry
            option, head, d, parent, table, luck = each
            previous = genotypes[:, jnp.maximum(d - 1, 0)]
            lstm = self._step(params, lstm, option[previous] + preferred)
            logits = self._choose(head, lstm[0])
            drawn = (logits + luck).argmax(axis=-1).astype(jnp.int32)
            # A decision without a condition is its own parent, which is not set yet:
            # it reads option 0 and `live`, both as they were made.
            alive = live[:, parent] & table[genotypes[:, parent]]
            genotypes = genotypes.at[:, d].set(jnp.where(alive, drawn, 0))
            return (lstm, genotypes, live.at[:, d].set(alive)), None

        d = space.num_decisions
        begin = jnp.zeros((num, d), jnp.int32), jnp.ones((num, d), bool)
        xs = (
            options,
            _heads(params, space),
            jnp.arange(d),
            parents,
            tables,
            jax.random.gumbel(key, (d, num, space.max_options), jnp.float32),
        )
        (_, genotypes, _), _ = jax.lax.scan(step, (self._start(num), *begin), xs)
        return genotypes

    def _start(self, num: int) -> Carry:
        zeros = jnp.zeros((num, self.hidden), jnp.float32)
        return zeros, zeros

    def _read(
        self, params: Params, preference: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Say what gates get of each option before, and what of the preference.

        Args:
          params: as `init` makes them.
          preference: float32[P, M].

        Returns:
          float32[D, O, 4H] and float32[P, 4H], to be added up.
        """
        kernel = params["kernel"][: self.hidden]
        preferred = preference @ params["preference"] @ kernel + params["bias"][None]
        return params["embedding"] @ kernel, preferred

    def _step(self, params: Params, carry: Carry, gates: jax.Array) -> Carry:
        """Go on by one decision; `gates` float32[P, 4H], of what is read."""
        output, cell = carry
        gates = gates + output @ params["kernel"][self.hidden :]
        i, f, o, g = jnp.split(gates, 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(cell), cell

    def _choose(self, head: Params, output: jax.Array) -> jax.Array:
        """Turn outputs float32[.., P, H] into log-probabilities float32[.., P, O]."""
        logits = output @ head["head"] + head["head_bias"][..., None, :]
        logits = logits / self.temperature
        if self.tanh_constant:
            logits = self.tanh_constant * jnp.tanh(logits)
        return normalised(logits, head["valid"][..., None, :])


def _heads(params: Params, space: SearchSpace) -> Params:
    """Collect what turns outputs into options, with a leading axis of D."""
    own = {name: params[name] for name in ("head", "head_bias")}
    return own | {"valid": jnp.asarray(space.valid)}


def _conditions(space: SearchSpace) -> tuple[jax.Array, jax.Array]:
    """Give each decision's parent `int32[D]`, and `bool[D, O]` when it is alive."""
    parents = np.arange(space.num_decisions, dtype=np.int32)
    tables = np.ones(space.valid.shape, bool)
    for d, condition in enumerate(space.conditions):
        if condition is not None:
            parents[d], tables[d] = condition
    return jnp.asarray(parents), jnp.asarray(tables)

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
from typing import Any

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
        keys = jax.random.split(key, len(shapes))
        return {
            name: jax.random.uniform(k, shape, jnp.float32, -self.scale, self.scale)
            for k, (name, shape) in zip(keys, shapes.items(), strict=True)
        }

    def log_probabilities(
        self,
        params: Params,
        space: SearchSpace,
        genotypes: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Give each decision's distribution; see `Policy.log_probabilities`."""
        before = jnp.pad(genotypes, ((0, 0), (1, 0)))[:, :-1].T
        context = preference @ params["preference"]

        def step(
            carry: Carry, each: tuple[Params, jax.Array]
        ) -> tuple[Carry, jax.Array]:
            decision, previous = each
            return self._step(params, decision, carry, previous, context)

        xs = (_decisions(params, space), before)
        _, table = jax.lax.scan(step, self._start(len(genotypes)), xs)
        return table.transpose(1, 0, 2)

    def sample(
        self,
        params: Params,
        space: SearchSpace,
        key: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Draw one decision after another; see `Policy.sample`."""
        num, context = len(preference), preference @ params["preference"]
        parents, tables = _conditions(space)

        def step(carry: Any, each: Any) -> tuple[Any, None]:
            lstm, genotypes, live = carry
            decision, d, parent, table, k = each
            previous = genotypes[:, jnp.maximum(d - 1, 0)]
            lstm, logits = self._step(params, decision, lstm, previous, context)
            drawn = jax.random.categorical(k, logits, axis=-1).astype(jnp.int32)
            # A decision without a condition is its own parent, which is not set yet:
            # it reads option 0 and `live`, both as they were made.
            alive = live[:, parent] & table[genotypes[:, parent]]
            genotypes = genotypes.at[:, d].set(jnp.where(alive, drawn, 0))
            return (lstm, genotypes, live.at[:, d].set(alive)), None

        d = space.num_decisions
        begin = jnp.zeros((num, d), jnp.int32), jnp.ones((num, d), bool)
        xs = (
            _decisions(params, space),
            jnp.arange(d),
            parents,
            tables,
            jax.random.split(key, d),
        )
        (_, genotypes, _), _ = jax.lax.scan(step, (self._start(num), *begin), xs)
        return genotypes

    def _start(self, num: int) -> Carry:
        zeros = jnp.zeros((num, self.hidden), jnp.float32)
        return zeros, zeros

    def _step(
        self,
        params: Params,
        decision: Params,
        carry: Carry,
        previous: jax.Array,
        context: jax.Array,
    ) -> tuple[Carry, jax.Array]:
        """Read the option before, and give the log-probabilities `float32[P, O]`."""
        output, cell = carry
        x = decision["embedding"][previous] + context
        gates = jnp.concatenate([x, output], axis=-1) @ params["kernel"]
        i, f, o, g = jnp.split(gates + params["bias"][None], 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        output = jax.nn.sigmoid(o) * jnp.tanh(cell)
        logits = output @ decision["head"] + decision["head_bias"][None]
        logits = logits / self.temperature
        if self.tanh_constant:
            logits = self.tanh_constant * jnp.tanh(logits)
        return (output, cell), normalised(logits, decision["valid"][None])


def _decisions(params: Params, space: SearchSpace) -> Params:
    """Collect what belongs to each decision, with a leading axis of D."""
    own = {name: params[name] for name in ("embedding", "head", "head_bias")}
    return own | {"valid": jnp.asarray(space.valid)}


def _conditions(space: SearchSpace) -> tuple[jax.Array, jax.Array]:
    """Give each decision's parent `int32[D]`, and `bool[D, O]` when it is alive."""
    parents = np.arange(space.num_decisions, dtype=np.int32)
    tables = np.ones(space.valid.shape, bool)
    for d, condition in enumerate(space.conditions):
        if condition is not None:
            parents[d], tables[d] = condition
    return jnp.asarray(parents), jnp.asarray(tables)

"""The one train step: every strategy, sharing scheme and supernet goes through here.

A step draws its batch, asks the strategy for gradients, and updates the weights of one
sub-supernet; S of them go one after the other on a device (`lax.map`), never batched.
It is one compiled program, with the architecture as data. What is drawn at a step is a
function of (seed, role, step), so that a resumed run draws the same.

Letters in shapes: S sub-supernets, K architectures of a step, B batch, N examples.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, PartitionSpec

from nas.data import Augment, Preprocessing
from nas.data_samplers import Order
from nas.errors import UserError
from nas.runtime.mesh import SUPERNETS, batch_sharding, side_by_side, wide_batch
from nas.strategies import Gradients, Strategy
from nas.training.averaging import moved
from nas.training.context import Batch, Context
from nas.training.expected import expected_costs
from nas.training.keys import role_key
from nas.training.optimizer import Optimizer, keep_inactive
from search_spaces import Architecture
from supernets import Supernet

State = dict[str, Any]
Arrays = dict[str, dict[str, jax.Array]]

# What of the state has a leading axis S; `average` is there only if it is asked for.
PER_SUPERNET = (
    "params",
    "average",
    "opt_state",
    "strategy",
    "counts",
    "bad_step",
    "bad_genotype",
    "allowed",
)

# Means over the steps since the line of the log before.
LOGGED = ("loss", "accuracy", "grad_norm", "active_macs")


@dataclasses.dataclass(frozen=True, eq=False)
class TrainStep:
    """A train step bound to its parts.

    Attributes:
      supernet: what is trained.
      strategy: how.
      optimizer: by what updates.
      preprocessing: from raw inputs to the network's.
      augment: of training images.
      orders: for each split that the strategy uses, how its batches are drawn.
      steps: of the whole training.
      log_every: over how many steps the logged means are taken.
      seed: decides everything random.
      mesh: the devices.
      schedule_steps: of the optimiser's schedule; 0: `steps`.
      average: the decay of the running mean of the weights; 0: there is none.
      latency: `float32[D, O] -> float32[]`, the expected milliseconds on a device, for
        strategies that minimise it; None: nobody measured it.
    """

    supernet: Supernet
    strategy: Strategy
    optimizer: Optimizer
    preprocessing: Preprocessing
    augment: Augment
    orders: dict[str, Order]
    steps: int
    log_every: int
    seed: int
    mesh: Mesh
    schedule_steps: int = 0
    average: float = 0.0
    latency: Callable[[jax.Array], jax.Array] | None = None

    def __post_init__(self) -> None:
        """Rank options by cost now, outside of any trace."""
        _ = self.context

    @property
    def horizon(self) -> int:
        """Over how many updates the optimiser's schedule falls."""
        return self.schedule_steps or self.steps

    def init(self, allowed: np.ndarray) -> State:
        """Make the state to start from.

        Args:
          allowed: `bool[S, D, O]`, the sub-supernets' options.

        Returns:
          A dictionary of arrays: `step`; `seed`; `params`, `opt_state`, `strategy`,
          `counts` (how often each option was trained) and `bad_step` with a leading
          axis S; `order`, the data's; `allowed`; `log`, running sums; `bad_genotype`;
          and `average`, like `params`, where the weights are averaged.
        """
        tx = self.optimizer.build(self.horizon)
        space = self.supernet.space

        def one(s: int) -> State:
            # Sub-supernet 0 of any partition starts as the whole supernet would.
            params = self.supernet.init(role_key(self.seed, "init", s))
            strategy = self.strategy.init(role_key(self.seed, "strategy", s), space)
            return {
                "params": params,
                "opt_state": tx.init(params),
                "strategy": strategy,
                "counts": jnp.zeros(space.valid.shape, jnp.int32),
                "bad_step": jnp.int32(-1),
                "bad_genotype": jnp.zeros((space.num_decisions,), jnp.int32),
            }

        # Not compiled as a whole: XLA takes long over many random draws in one program.
        parts = [one(s) for s in range(len(allowed))]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
        if self.average:
            # A copy: the state is donated, and no buffer may be so twice.
            stacked["average"] = jax.tree.map(jnp.copy, stacked["params"])
        return stacked | {
            "step": jnp.int32(0),
            # An input of the program, not a part of it: seeds share what is compiled.
            "seed": jnp.int32(self.seed),
            "allowed": jnp.asarray(allowed),
            "order": {
                split: order.init(role_key(self.seed, "order", i))
                for i, (split, order) in enumerate(self.orders.items())
            },
            "log": {name: jnp.float32(0) for name in LOGGED},
        }

    def __call__(self, state: State, data: Arrays) -> State:
        """Do one step; traceable, and compiled by `make_train_step`.

        Args:
          state: the latest state.
          data: `{split: {"inputs": raw [N, ..], "labels": int32[N]}}`; of tokens
            there is a label at each place, `int32[N, T]`.

        Returns:
          The next state.
        """
        step, seed = state["step"], state["seed"]
        num = state["allowed"].shape[0]
        orders, batches = {}, {}
        for i, (split, order) in enumerate(self.orders.items()):
            key = jax.random.fold_in(role_key(seed, "order", i), step + 1)
            orders[split], draw = order.next(
                state["order"][split], key, step / self.steps
            )
            augment = jax.random.fold_in(role_key(seed, "augment", i), step)
            batch = self.batch(data[split], draw.indices, augment, num)
            batches[split] = batch._replace(weights=draw.weights)

        parts = {name: state[name] for name in PER_SUPERNET if name in state}

        def one(inputs: Any, batches: Any) -> Any:
            part, s = inputs
            return self._one(part, s, batches, step, seed)

        new, log = self._each(one, (parts, jnp.arange(num)), batches)
        if "scores" in log:
            # Sub-supernets whose step was not finite tell nothing.
            scores = jnp.nanmean(log.pop("scores"), axis=0)
            sampler, indices = (
                self.orders["weights"].sampler,
                batches["weights"].indices,
            )
            orders["weights"] = sampler.update(orders["weights"], indices, scores)
        fresh = step % self.log_every == 0
        sums = {
            name: jnp.where(fresh, 0, state["log"][name]) + values.mean()
            for name, values in log.items()
        }
        kept = {"seed": seed, "order": orders, "log": sums}
        return {**new, **kept, "step": step + 1}

    def _each(
        self, one: Callable[[Any, Any], Any], inputs: Any, batches: Any
    ) -> tuple[State, dict[str, jax.Array]]:
        """Do something with each of S sub-supernets, side by side on several devices.

        Args:
          one: of one sub-supernet, with the step's batches.
          inputs: a tree with a leading axis S.
          batches: the same for all.

        Returns:
          What `one` gives, with a leading axis S.
        """
        if not side_by_side(jax.tree.leaves(inputs)[0].shape[0], self.mesh):
            return _in_turn(one, inputs, batches)
        split, whole = PartitionSpec(SUPERNETS), PartitionSpec()
        return jax.shard_map(
            functools.partial(_in_turn, one),
            mesh=self.mesh,
            in_specs=(split, whole),
            out_specs=split,
            axis_names={SUPERNETS},
            check_vma=False,
        )(inputs, batches)

    def batch(
        self,
        split: dict[str, jax.Array],
        indices: jax.Array,
        key: jax.Array,
        num: int = 1,
    ) -> Batch:
        """Take examples of a split, augmented and preprocessed.

        Args:
          split: its `inputs` and `labels`.
          indices: `int32[B]`.
          key: of the augmentation.
          num: S, for how many sub-supernets the batch is.

        Returns:
          The batch, laid out over the devices.
        """
        inputs = self.augment(key, split["inputs"][indices])
        over = ("data",)
        if not side_by_side(num, self.mesh):
            over = wide_batch(self.mesh, indices.shape[0])
        layout = batch_sharding(self.mesh, over=over)
        inputs = jax.lax.with_sharding_constraint(inputs, layout)
        return Batch(self.preprocessing(inputs), split["labels"][indices], indices)

    def _one(
        self,
        part: State,
        s: jax.Array,
        batches: dict[str, Batch],
        step: jax.Array,
        seed: jax.Array,
    ) -> tuple[State, dict[str, jax.Array]]:
        """Train one sub-supernet."""
        key = jax.random.fold_in(role_key(seed, "strategy", step + 1), s)

        def ahead(grads: Any, architectures: Architecture) -> Any:
            return self._update(part, grads, architectures)[0]

        result = self.strategy.gradients(
            dataclasses.replace(
                self.context,
                progress=step / self.steps,
                needs=self.needs,
                ahead=ahead,
            ),
            part["strategy"],
            part["params"],
            batches,
            key,
            part["allowed"],
        )
        norm = optax.tree.norm(result.grads)
        good = jnp.isfinite(result.loss) & jnp.isfinite(norm) & (part["bad_step"] < 0)
        params, opt_state = self._update(part, result.grads, result.architectures)
        # A step that is not finite changes nothing, and neither does any after it:
        # the last good state is what stays.
        keep = {"params": params, "opt_state": opt_state, "strategy": result.state}
        if self.average:
            done = step - (self.steps - self.horizon)
            keep["average"] = moved(part["average"], params, self.average, done)
        new = {
            name: jax.tree.map(
                lambda after, before: jnp.where(good, after, before), value, part[name]
            )
            for name, value in keep.items()
        }
        taken = (result.architectures.weights > 0).sum(0).astype(jnp.int32)
        failed = ~good & (part["bad_step"] < 0)
        genotype = result.architectures.weights[0].argmax(-1).astype(jnp.int32)
        new |= {
            "counts": part["counts"] + jnp.where(good, taken, 0),
            "bad_step": jnp.where(failed, step, part["bad_step"]),
            "bad_genotype": jnp.where(failed, genotype, part["bad_genotype"]),
            "allowed": part["allowed"],
        }
        macs = jax.vmap(lambda arch: self.supernet.cost(arch)["macs"])
        log = {
            "loss": result.loss,
            "accuracy": result.accuracy,
            "grad_norm": norm,
            "active_macs": macs(result.architectures).mean(),
        }
        if self.needs:
            log["scores"] = jnp.where(good, self._scores(result), jnp.nan)
        return new, log

    def _update(
        self, part: State, grads: Any, architectures: Architecture
    ) -> tuple[Any, Any]:
        tx = self.optimizer.build(self.horizon)
        extra = self.optimizer.extra(self.supernet, architectures)
        updates, opt_state = tx.update(
            grads, part["opt_state"], part["params"], **extra
        )
        if self.optimizer.inactive == "skip":
            active = self._active(architectures)
            updates = jax.tree.map(lambda u, a: jnp.where(a > 0, u, 0), updates, active)
            opt_state = keep_inactive(tx, active, opt_state, part["opt_state"])
        return optax.apply_updates(part["params"], updates), opt_state

    @property
    def needs(self) -> frozenset[str]:
        """Which scores of examples the data sampler of the weights split reads."""
        return self.orders["weights"].sampler.needs

    def _scores(self, result: Gradients) -> jax.Array:
        if result.example_score is None:
            raise UserError(
                f"training.data_sampler needs {', '.join(sorted(self.needs))}, which "
                f"the strategy {type(self.strategy).__name__} does not give. Train by "
                "Paths, or draw the data uniformly."
            )
        return result.example_score

    def _active(self, architectures: Architecture) -> Any:
        """Take the greatest activity over a step's architectures."""
        first = jax.tree.map(lambda leaf: leaf[0], architectures)
        active = self.supernet.activity(first)
        if architectures.weights.shape[0] == 1:
            return active

        def widen(active: Any, arch: Architecture) -> tuple[Any, None]:
            return jax.tree.map(jnp.maximum, active, self.supernet.activity(arch)), None

        rest = jax.tree.map(lambda leaf: leaf[1:], architectures)
        return jax.lax.scan(widen, active, rest)[0]

    @functools.cached_property
    def context(self) -> Context:
        """What strategies and partitions may do with the supernet."""

        def forward(params: Any, arch: Architecture, x: jax.Array, key: jax.Array):
            return self.supernet.apply(params, None, arch, x, train=True, key=key)

        return Context(
            self.supernet.space,
            forward,
            self.supernet.activity,
            self.supernet.cost_order(),
            mesh=self.mesh,
            cost=expected_costs(self.supernet, self.latency),
        )


def _in_turn(one: Callable[[Any, Any], Any], inputs: Any, batches: Any) -> Any:
    """Do something with each sub-supernet, one after another: never batched."""
    if jax.tree.leaves(inputs)[0].shape[0] == 1:
        alone = one(jax.tree.map(lambda leaf: leaf[0], inputs), batches)
        return jax.tree.map(lambda leaf: leaf[None], alone)
    return jax.lax.map(lambda part: one(part, batches), inputs)


def make_train_step(
    step: TrainStep, shardings: Any
) -> Callable[[State, Arrays], State]:
    """Compile the train step; the state that goes in is donated.

    Args:
      step: the bound step.
      shardings: of the state, in and out.

    Returns:
      `(state, data) -> state`.
    """
    return jax.jit(
        step.__call__,
        donate_argnums=0,
        out_shardings=shardings,
    )

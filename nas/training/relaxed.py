"""A trained supernet's objectives as functions of a relaxed architecture.

What gradient methods follow while the weights stay as they are: the loss on a batch of
the search split, normalised by the batch's own statistics, and expected costs.

Letters in shapes: B batch, M objectives, S sub-supernets, N examples.
"""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from nas.data import Preprocessing
from nas.errors import UserError
from nas.losses import mean_over_places
from nas.runtime.mesh import batch_sharding, host, wide_batch
from nas.search.base import Relaxed
from nas.training.averaging import evaluated
from nas.training.expected import Expected, expected_costs
from search_spaces import Architecture
from supernets import Supernet

if TYPE_CHECKING:
    from nas.run import Run
    from nas.training.step import State

# Qualities, whose gradient is that of the loss: errors have none.
LOSSES = ("nll", "error")
_SAMPLES = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class RelaxedObjectives:
    """What a relaxed architecture does; called as `nas.search.base.Relaxed` says.

    Attributes:
      supernet: whose architectures.
      names: M objectives: `nll` or `error`, or an expected cost.
      cost: counts all that has an expectation.
      preprocessing: from raw inputs to the network's.
      batch_size: B.
      mesh: the devices.
    """

    supernet: Supernet
    names: tuple[str, ...]
    cost: Expected
    preprocessing: Preprocessing
    batch_size: int
    mesh: Mesh

    def __call__(
        self,
        data: Any,
        arch: Architecture,
        rows: jax.Array,
        home: jax.Array,
        key: jax.Array,
    ) -> jax.Array:
        """Measure.

        Args:
          data: `params` with a leading axis S, and `inputs` and `labels` of N examples.
          arch: whose loss, hard or soft.
          rows: `float32[D, O]`, whose expected costs.
          home: `int32[]`, the sub-supernet.
          key: draws the batch.

        Returns:
          `float32[M]`: nats, and shares of the largest architecture's cost.

        Raises:
          UserError: an objective is neither.
        """
        most = self.cost(
            jax.nn.one_hot(self.supernet.largest(), rows.shape[1], dtype=jnp.float32)
        )
        expected, loss, values = self.cost(rows), None, []
        for name in self.names:
            if name in LOSSES:
                loss = self._loss(data, arch, home, key) if loss is None else loss
                values.append(loss)
            elif name in expected:
                values.append(expected[name] / most[name])
            else:
                raise UserError(
                    f"search: objective {name!r} has no gradient; gradient methods "
                    f"take {', '.join((*LOSSES, *sorted(expected)))}. Leave it out, or "
                    "search by a controller without gradients"
                )
        return jnp.stack(values)

    def _loss(
        self, data: Any, arch: Architecture, home: jax.Array, key: jax.Array
    ) -> jax.Array:
        params = jax.tree.map(lambda leaf: leaf[home], data["params"])
        num = data["labels"].shape[0]
        indices = jax.random.choice(key, num, (self.batch_size,), replace=False)
        layout = batch_sharding(self.mesh, over=wide_batch(self.mesh, self.batch_size))
        x = jax.lax.with_sharding_constraint(data["inputs"][indices], layout)
        logits = self.supernet.apply(params, None, arch, self.preprocessing(x)).logits
        nll = optax.softmax_cross_entropy_with_integer_labels(
            logits, data["labels"][indices]
        )
        return mean_over_places(nll).mean()


def relax(run: "Run", trained: "State") -> Relaxed:
    """Give a trained run's search what gradient methods need.

    Args:
      run: for the data, the settings and the objectives.
      trained: the state after training.

    Returns:
      The objectives; priced by examples, and by multiply-accumulates.
    """
    split = run.on_device("search")
    size = min(run.experiment.training.batch_size, len(split))
    latency = None if run.latency is None else run.latency.expected
    objectives = RelaxedObjectives(
        run.supernet,
        run.experiment.search.objectives,
        expected_costs(run.supernet, latency),
        run.preprocessing,
        size,
        run.mesh,
    )
    data = {
        "params": evaluated(trained),
        "inputs": split.inputs,
        "labels": split.labels,
    }
    examples = len(split)
    if run.experiment.evaluation.statistics == "calibrate":
        examples += int(np.prod(run.evaluator.calibration_inputs.shape[:2]))

    def price(hard: bool) -> float:
        more = 1.0 if hard else soft_over_hard(run.supernet)
        return size / examples * more

    return Relaxed(objectives, data, np.asarray(host(trained["allowed"])), price)


@functools.cache
def soft_over_hard(supernet: Supernet) -> float:
    """Say how many times a typical subnet's work a soft architecture is.

    A soft architecture runs every branch, and every width in full. XLA counts the
    operations of both forward passes, of a hard one by the dearest of branches, as if
    it were the largest subnet; the mean subnet's is in proportion to its
    multiply-accumulates.

    Args:
      supernet: whose architectures.

    Returns:
      The ratio, 1 at least.
    """
    space = supernet.space
    params = jax.eval_shape(supernet.init, jax.random.key(0))
    x = jax.ShapeDtypeStruct((1, *supernet.input_shape), supernet.input_dtype)
    rows = jax.ShapeDtypeStruct(space.valid.shape, "float32")
    genotype = jax.ShapeDtypeStruct((space.num_decisions,), "int32")

    def soft(params: Any, rows: jax.Array, x: jax.Array) -> jax.Array:
        return supernet.apply(params, None, Architecture.soft(space, rows), x).logits

    def hard(params: Any, row: jax.Array, x: jax.Array) -> jax.Array:
        return supernet.apply(params, None, Architecture.hard(space, row), x).logits

    counts = [
        jax.jit(function).lower(params, which, x).cost_analysis()
        for function, which in ((soft, rows), (hard, genotype))
    ]
    sample = np.asarray(space.sample(jax.random.key(0), _SAMPLES))
    typical = supernet.costs(sample)["macs"].mean()
    largest = supernet.costs(supernet.largest()[None])["macs"][0]
    # Where the compiler counts nothing, as if nothing but options cost anything.
    ratio = float(space.max_options)
    if all(counted and counted.get("flops") for counted in counts):
        more = [counted["flops"] for counted in counts]  # pyright: ignore
        ratio = more[0] / more[1] * float(largest) / max(float(typical), 1.0)
    return max(1.0, ratio)

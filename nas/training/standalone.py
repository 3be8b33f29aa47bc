"""Training one ordinary network on its own: fine-tuning, from scratch, ground truth.

No weights are shared here and no architecture is chosen; the loop around the step is
the same whatever the weights started from. Batches, augmentation and all else that is
random are a function of (seed, stream, step), so that two networks that are compared
see the same examples, and a resumed training goes on bitwise.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from nas.data import Augment, BatchOrder, Preprocessing
from nas.errors import UserError
from nas.runtime.mesh import batch_sharding, check_batch, host, put, replicated
from nas.runtime.processes import count
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.training.keys import role_key
from nas.training.optimizer import Optimizer
from supernets.standalone import Standalone

State = dict[str, Any]
Save = Callable[[int, State], None]
Log = Callable[[int, dict[str, float]], None]

STREAMS = ("init", "order", "augment", "forward")
# Steps between two collectives that ask whether any process was told to stop.
_AGREE_EVERY = 10


def standalone_key(
    seed: int | jax.Array, stream: str, step: int | jax.Array = 0
) -> jax.Array:
    """Give the key of one stream at a step, a function of nothing else."""
    key = role_key(seed, "standalone", STREAMS.index(stream))
    return jax.random.fold_in(key, step)


@dataclasses.dataclass(frozen=True, eq=False)
class StandaloneTraining:
    """The training of one network, bound to its parts.

    Attributes:
      network: what is trained.
      optimizer: with its learning rate.
      preprocessing: from raw inputs to the network's.
      augment: of training images.
      order: how batches are drawn.
      steps: updates of the weights.
      log_every: steps between two lines of the log.
      checkpoint_every: steps between two checkpoints.
      seed: decides everything random.
      mesh: the devices.
    """

    network: Standalone
    optimizer: Optimizer
    preprocessing: Preprocessing
    augment: Augment
    order: BatchOrder
    steps: int
    log_every: int
    checkpoint_every: int
    seed: int
    mesh: Mesh

    def __post_init__(self) -> None:
        """Check that the devices can share a batch."""
        check_batch(self.mesh, self.order.batch_size, "batch_size")

    def init(self, params: Any) -> State:
        """Make the state to start from.

        Args:
          params: the weights to start from.

        Returns:
          A dictionary of arrays on the devices: `step`, `params`, `opt_state`, `order`,
          `loss` (a running sum), `bad_step`, and `stats`, which are as built until
          training is done.
        """
        params = jax.tree.map(jnp.asarray, params)
        state = {
            "step": jnp.int32(0),
            "params": params,
            "stats": self.network.stats,
            "opt_state": self.optimizer.build(self.steps).init(params),
            "order": self.order.init(standalone_key(self.seed, "order")),
            "loss": jnp.float32(0),
            "bad_step": jnp.int32(-1),
        }
        return put(state, replicated(self.mesh))

    def step(self, state: State, data: Mapping[str, jax.Array]) -> State:
        """Do one update; traceable.

        Args:
          state: the latest state.
          data: raw `inputs` `[N, ..]`, and `labels`, `int32[N]` or `int32[N, T]`.

        Returns:
          The next state.
        """
        step = state["step"]
        key = standalone_key(self.seed, "order", step + 1)
        order, indices = self.order.next(state["order"], key)
        key = standalone_key(self.seed, "augment", step)
        inputs = self.augment(key, data["inputs"][indices])
        inputs = jax.lax.with_sharding_constraint(inputs, batch_sharding(self.mesh))
        x, labels = self.preprocessing(inputs), data["labels"][indices]
        key = standalone_key(self.seed, "forward", step)

        def objective(params: Any) -> jax.Array:
            logits = self.network.train(params, x, key)
            return optax.softmax_cross_entropy_with_integer_labels(
                logits, labels
            ).mean()

        loss, grads = jax.value_and_grad(objective)(state["params"])
        tx = self.optimizer.build(self.steps)
        updates, opt_state = tx.update(grads, state["opt_state"], state["params"])
        new = {
            "params": optax.apply_updates(state["params"], updates),
            "opt_state": opt_state,
        }
        # As in the supernet's step: from the first that is not finite, nothing moves.
        finite = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(grads))
        good = finite & (state["bad_step"] < 0)
        old = {name: state[name] for name in new}
        new = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, old)
        failed = ~finite & (state["bad_step"] < 0)
        return {
            **state,
            **new,
            "step": step + 1,
            "order": order,
            "loss": jnp.where(step % self.log_every == 0, 0, state["loss"]) + loss,
            "bad_step": jnp.where(failed, step, state["bad_step"]),
        }

    def calibrated(self, state: State, inputs: np.ndarray) -> State:
        """Put the statistics of the trained weights into the state.

        Args:
          state: after training.
          inputs: raw `[N, B, ..]`, the calibration batches.

        Returns:
          The state, with `stats`.
        """
        stats = jax.jit(
            lambda params, inputs: self.network.calibrate(
                params, self.preprocessing(inputs)
            )
        )(host(state["params"]), inputs)
        return state | {"stats": put(stats, replicated(self.mesh))}


def train_standalone(
    training: StandaloneTraining,
    state: State,
    data: Mapping[str, jax.Array],
    *,
    title: str = "train",
    log: Log | None = None,
    save: Save | None = None,
) -> State:
    """Train from a state to the last step: the one loop for every such training.

    Args:
      training: what is trained and how.
      state: from `StandaloneTraining.init`, or from a checkpoint; it is donated.
      data: as for `StandaloneTraining.step`.
      title: of the progress bar.
      log: called with the step and `loss`, the mean since the last call.
      save: called with the step and the state, every so often, and when told to stop;
        not after the last step, when the caller has work left to do.

    Returns:
      The state after the last step.

    Raises:
      UserError: a loss or a gradient was not finite.
      Interrupted: the process was told to stop; the state was saved.
    """
    everywhere = jax.tree.map(lambda _: replicated(training.mesh), state)
    program = jax.jit(training.step, donate_argnums=0, out_shardings=everywhere)
    begin, every = int(state["step"]), training.log_every
    with StopSignals() as stop, Progress(title, training.steps, begin) as bar:
        for number in range(begin + 1, training.steps + 1):
            state = program(state, data)
            last = number == training.steps
            if number % every == 0 or last:
                _refuse_bad(state)
                loss = float(host(state["loss"])) / (number % every or every)
                bar.update(number, loss=loss)
                if log is not None:
                    log(number, {"loss": loss})
            stopping = _stopping(stop, number)
            regular = number % training.checkpoint_every == 0 and not last
            if save is not None and (stopping or regular):
                _refuse_bad(state)
                save(number, state)
            if stopping:
                raise stop.interrupted(number)
    return state


def _stopping(stop: StopSignals, number: int) -> bool:
    """Ask whether to stop: all processes at the same step, which costs a collective."""
    if count() == 1:
        return stop.requested
    return number % _AGREE_EVERY == 0 and stop.agreed()


def _refuse_bad(state: State) -> None:
    bad = int(host(state["bad_step"]))
    if bad >= 0:
        raise UserError(
            f"The loss or its gradient was not finite at step {bad} of training a "
            "network on its own. The last good checkpoint is kept. Take a smaller "
            "learning rate, or set optimizer.clip_norm."
        )

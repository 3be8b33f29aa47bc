"""An ensemble of multilayer perceptrons that differ in how they start.

Lakshminarayanan, Pritzel and Blundell, "Simple and Scalable Predictive Uncertainty
Estimation using Deep Ensembles", NeurIPS 2017, arXiv 1612.01474; on encodings of
architectures, to guide a search: White, Neiswanger and Savani, "BANANAS", AAAI 2021,
arXiv 1910.11858. The uncertainty is the spread of the members' predictions. All members
are one program (`vmap`), and are trained on all data at every step.

Letters in shapes: P population, F features, E members.
"""

import dataclasses
import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from predictors.base import Fitted, Prediction, Predictor, checked


@dataclasses.dataclass(frozen=True)
class MLPEnsemble(Predictor):
    """Perceptrons on features and values of zero mean and unit variance."""

    members: int = 5
    """E, how many."""

    width: int = 64
    """Hidden values of a layer."""

    layers: int = 2
    """Hidden layers."""

    steps: int = 300
    """Steps of training, each on all data."""

    learning_rate: float = 0.01
    """At the start, from which it falls to 0 by a cosine."""

    weight_decay: float = 0.01
    """Of AdamW."""

    seed: int = 0
    """Of the weights at the start."""

    NAME = "mlp"
    LEAST = 4

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least in (("members", 2), ("width", 1), ("layers", 1), ("steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"mlp: {name} is {getattr(self, name)}; at least {least} is needed."
                )
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise ValueError(
                f"mlp: learning_rate is {self.learning_rate} and weight_decay "
                f"{self.weight_decay}; the first must be above 0, the second not below."
            )

    def fit(self, encodings: np.ndarray, values: np.ndarray) -> "FittedEnsemble":
        """Fit; see `Predictor.fit`. A function of the data and the seed."""
        x, y = checked(encodings, values, self.LEAST)
        centre, scale = _standard(x)
        middle, spread = _standard(y)
        inputs, counts = _padded((x - centre) / scale)
        targets, _ = _padded((y - middle) / spread)
        state = _train(self, inputs, targets, counts)
        return FittedEnsemble(self, state, centre, scale, float(middle), float(spread))


@dataclasses.dataclass(frozen=True, eq=False)
class FittedEnsemble(Fitted):
    """Trained members.

    Attributes:
      settings: what they were made by.
      state: their weights, each with a leading axis E.
      centre: `float64[F]`, taken from features.
      scale: `float64[F]`, by which they are divided.
      middle: the mean of the values.
      spread: their standard deviation.
    """

    settings: MLPEnsemble
    state: Any
    centre: np.ndarray
    scale: np.ndarray
    middle: float
    spread: float

    def predict(self, encodings: np.ndarray) -> Prediction:
        """Give the mean and the spread over members; see `Fitted.predict`."""
        x, _ = checked(encodings)
        inputs, _ = _padded((x - self.centre) / self.scale)
        each = np.asarray(_predict(self.settings, self.state, inputs), np.float64)
        each = each[:, : len(x)] * self.spread
        return Prediction(each.mean(0) + self.middle, each.std(0, ddof=1))


class _MLP(nnx.Module):
    def __init__(self, features: int, settings: MLPEnsemble, rngs: nnx.Rngs) -> None:
        sizes = [features, *[settings.width] * settings.layers]
        pairs = itertools.pairwise(sizes)
        self.hidden = nnx.List([nnx.Linear(i, o, rngs=rngs) for i, o in pairs])
        self.last = nnx.Linear(sizes[-1], 1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.hidden:
            x = jax.nn.relu(layer(x))
        return self.last(x)[:, 0]


@functools.partial(jax.jit, static_argnames="settings")
def _train(settings: MLPEnsemble, x: jax.Array, y: jax.Array, counts: jax.Array) -> Any:
    graph, _ = nnx.split(_MLP(x.shape[1], settings, nnx.Rngs(0)))
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    optimizer = optax.adamw(rate, weight_decay=settings.weight_decay)

    def loss(state: Any) -> jax.Array:
        errors = (nnx.merge(graph, state)(x) - y) ** 2
        return (errors * counts).sum() / counts.sum()

    def step(carry: Any, _: None) -> tuple[Any, None]:
        state, memory = carry
        updates, memory = optimizer.update(jax.grad(loss)(state), memory, state)
        return (optax.apply_updates(state, updates), memory), None

    def train(key: jax.Array) -> Any:
        state = nnx.split(_MLP(x.shape[1], settings, nnx.Rngs(key)))[1]
        start = (state, optimizer.init(state))
        return jax.lax.scan(step, start, length=settings.steps)[0][0]

    keys = jax.random.split(jax.random.key(settings.seed), settings.members)
    return jax.vmap(train)(keys)


@functools.partial(jax.jit, static_argnames="settings")
def _predict(settings: MLPEnsemble, state: Any, x: jax.Array) -> jax.Array:
    graph, _ = nnx.split(_MLP(x.shape[1], settings, nnx.Rngs(0)))
    return jax.vmap(lambda own: nnx.merge(graph, own)(x))(state)


def _standard(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean and the standard deviation, 1 where nothing varies."""
    scale = values.std(0)
    return values.mean(0), np.where(scale > 0, scale, 1.0)


def _padded(rows: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Fill up with zeros to a power of two, so that few sizes are compiled.

    Returns:
      `float32[.., F]`, and a 1 for each row that is there.
    """
    size = 1 << max(len(rows) - 1, 15).bit_length()
    whole = np.zeros((size, *rows.shape[1:]), np.float32)
    whole[: len(rows)] = rows
    return jnp.asarray(whole), jnp.asarray(np.arange(size) < len(rows), jnp.float32)

"""The one evaluation: shared weights, one architecture after another, one program.

An architecture is data to the compiled program, so a population of any size compiles
nothing. Batch normalisation gets the architecture's own statistics first, because the
weights' running statistics would belong to none.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from nas.data import Preprocessing, Split, evaluation_batches
from nas.errors import UserError, check_least
from nas.losses import mean_over_places
from nas.partition import assign
from nas.runtime.mesh import SUPERNETS, batch_sharding, host
from search_spaces import Architecture
from supernets import Supernet

STATISTICS = ("calibrate", "batch")
COLUMNS = ("nll", "error", "macs", "params", "bytes")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How architectures are measured."""

    batch_size: int = 256
    """Examples in a batch."""

    statistics: str = "calibrate"
    """Of batch normalisation: calibrate on examples of the weights split, or batch."""

    calibration_batches: int = 4
    """Batches of the weights split that calibration averages over."""

    calibration_batch_size: int = 128
    """Examples in each of them."""

    at_once: int = 1
    """Architectures that one call of the program calibrates and measures, one after
    another; 8 or more keep an accelerator from waiting for the next call."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.statistics not in STATISTICS:
            raise UserError(
                f"evaluation: statistics is {self.statistics!r}; allowed: "
                f"{', '.join(STATISTICS)}."
            )
        check_least("evaluation", self, batch_size=1, at_once=1)
        check_least("evaluation", self, calibration_batches=1, calibration_batch_size=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluator:
    """Measures architectures by shared weights.

    Attributes:
      supernet: whose architectures.
      settings: how.
      preprocessing: from raw inputs to the network's.
      calibration: the weights split.
      mesh: the devices.
      known: further costs that need no evaluation, such as the latency of a device:
        `int32[P, D] -> {name: number[P]}`; None without.
    """

    supernet: Supernet
    settings: Evaluation
    preprocessing: Preprocessing
    calibration: Split
    mesh: Mesh
    known: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None

    @functools.cached_property
    def _one(self) -> Any:
        """The one program, which serves every split of one size."""
        return make_evaluate(self)

    @functools.cached_property
    def _stats(self) -> Any:
        return jax.jit(self._calibrate)

    @property
    def calibration_inputs(self) -> np.ndarray:
        """`[N, B, *shape]`, the first raw inputs of the weights split."""
        size = min(self.settings.calibration_batch_size, len(self.calibration))
        num = min(self.settings.calibration_batches, len(self.calibration) // size)
        inputs = self.calibration.inputs[: num * size]
        return inputs.reshape(num, size, *inputs.shape[1:])

    def evaluate(
        self, params: Any, allowed: jax.Array, genotypes: np.ndarray, split: Split
    ) -> dict[str, np.ndarray]:
        """Measure a population.

        Args:
          params: shared weights with a leading axis S.
          allowed: `bool[S, D, O]`.
          genotypes: `int32[P, D]`.
          split: what to measure on.

        Returns:
          `float64[P]` for each of `nll` (mean over labels, in nats), `error` (the
          fraction of labels that were not answered), `error_variance` (of the error of
          an example, over examples), `macs`, `params`, `bytes`, and what is `known`.
        """
        devices = self.mesh.shape[SUPERNETS] * self.mesh.shape["data"]
        size = -(-self.settings.batch_size // devices) * devices
        indices, weights = evaluation_batches(len(split), size)
        calibration = self.calibration_inputs
        groups = _groups(np.asarray(genotypes, np.int32), self.settings.at_once)
        sums = [
            self._one(
                params,
                allowed,
                group,
                split.inputs,
                split.labels,
                indices,
                weights,
                calibration,
            )
            for group in groups
        ]
        values = np.asarray(host(sums), np.float64).reshape(-1, 3)
        values = values[: len(genotypes)] / len(split)
        nll, error, square = values.T
        costs = dict(self.supernet.costs(genotypes))
        if self.known is not None:
            costs |= self.known(genotypes)
        measured = {"nll": nll, "error": error}
        measured["error_variance"] = np.maximum(square - error**2, 0)
        return measured | {name: v.astype(np.float64) for name, v in costs.items()}

    def statistics(self, params: Any, allowed: jax.Array, genotype: np.ndarray) -> Any:
        """Calibrate an architecture's statistics, as evaluation and export use them.

        Args:
          params: shared weights with a leading axis S.
          allowed: `bool[S, D, O]`.
          genotype: `int32[D]`.

        Returns:
          A tree of statistics; empty if the network has none.
        """
        genotype = np.asarray(genotype, np.int32)
        return self._stats(params, allowed, genotype, self.calibration_inputs)

    def _calibrate(
        self, params: Any, allowed: jax.Array, genotype: jax.Array, inputs: jax.Array
    ) -> Any:
        own, arch = self._pick(params, allowed, genotype)
        return self.supernet.calibrate(own, arch, self.preprocessing(inputs))

    def _pick(
        self, params: Any, allowed: jax.Array, genotype: jax.Array
    ) -> tuple[Any, Architecture]:
        """Give an architecture and the weights of its sub-supernet."""
        arch = Architecture.hard(self.supernet.space, genotype)
        indices: Any = arch.indices  # canonical
        s = assign(allowed, indices)
        return jax.tree.map(lambda leaf: leaf[s], params), arch


def _groups(genotypes: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut a population into groups of one size; the last repeats its first row."""
    missing = -len(genotypes) % size
    filled = np.concatenate([genotypes, np.repeat(genotypes[:1], missing, axis=0)])
    return list(filled.reshape(-1, size, genotypes.shape[1]))


def make_evaluate(evaluator: Evaluator) -> Callable[..., jax.Array]:
    """Compile the evaluation of a few architectures, one after another.

    Args:
      evaluator: the settings.

    Returns:
      `(params, allowed, genotypes int32[C, D], inputs, labels, indices, weights,
      calibration) -> float32[C, 3]`: the sums over a split of the negative
      log-likelihood of an example, of its error, and of its error's square.
    """
    supernet, preprocessing = evaluator.supernet, evaluator.preprocessing
    sharding = batch_sharding(evaluator.mesh, over=(SUPERNETS, "data"))

    def evaluate(
        params: Any,
        allowed: jax.Array,
        genotype: jax.Array,
        inputs: jax.Array,
        labels: jax.Array,
        indices: jax.Array,
        weights: jax.Array,
        calibration: jax.Array,
    ) -> jax.Array:
        own, arch = evaluator._pick(params, allowed, genotype)
        stats = None
        if evaluator.settings.statistics == "calibrate":
            stats = supernet.calibrate(own, arch, preprocessing(calibration))

        def add(total: jax.Array, batch: Any) -> tuple[jax.Array, None]:
            index, weight = batch
            x = jax.lax.with_sharding_constraint(inputs[index], sharding)
            logits = supernet.apply(own, stats, arch, preprocessing(x)).logits
            truth = labels[index]
            nll = optax.softmax_cross_entropy_with_integer_labels(logits, truth)
            wrong = (logits.argmax(-1) != truth).astype(jnp.float32)
            nll, wrong = mean_over_places(nll), mean_over_places(wrong)
            sums = [nll @ weight, wrong @ weight, jnp.square(wrong) @ weight]
            return total + jnp.stack(sums), None

        zero = jnp.zeros(3, jnp.float32)
        return jax.lax.scan(add, zero, (indices, weights))[0]

    def each(
        params: Any, allowed: jax.Array, genotypes: jax.Array, *data: jax.Array
    ) -> jax.Array:
        if genotypes.shape[0] == 1:
            return evaluate(params, allowed, genotypes[0], *data)[None]
        return jax.lax.map(lambda g: evaluate(params, allowed, g, *data), genotypes)

    return jax.jit(each)

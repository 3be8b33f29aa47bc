"""The supernet's boundary: pure functions over plain nested dictionaries of arrays.

One set of shared weights holds every architecture of a space. The engine sees only what
is declared here: no module object, no active subnet, no state. An architecture is a
value that is passed in.

Letters in shapes: B batch, H W C image, T tokens, V vocabulary, D decisions, P
population, N batches.
"""

import abc
import dataclasses
from typing import Any, ClassVar, NamedTuple, Self

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, SearchSpace

Params = dict[str, Any]
Stats = dict[str, Any]


class Outputs(NamedTuple):
    """What a forward pass gives.

    Attributes:
      logits: `float32[B, num_classes]`; of tokens `float32[B, T, V]`, at each place.
      features: `float32[B, F]`, what the classifier sees; of tokens `[B, T, F]`.
      taps: named intermediate values that a loss may ask for; often empty.
    """

    logits: jax.Array
    features: jax.Array
    taps: dict[str, jax.Array]


class Supernet(abc.ABC):
    """A network whose weights every architecture of a space shares.

    Concrete supernets are frozen dataclasses: their fields are hyper-parameters,
    checked when built.

    Attributes:
      space: the search space of its architectures.
      input_dtype: of the input: `"float32"`, normalised values, of which outputs have
        the type and may have the gradient; or `"int32"`, tokens from 0 to V - 1.
      input_shape: of one example: `(H, W, C)` of an image, `(T,)` of tokens.
      num_classes: the length of the logits; of tokens, V.
      compute_dtype: of activations, and of the weights when they are used.
    """

    input_dtype: ClassVar[str] = "float32"
    space: SearchSpace
    input_shape: tuple[int, ...]
    num_classes: int
    compute_dtype: str

    def with_data(self, input_shape: tuple[int, ...], num_classes: int) -> Self:
        """Fit a copy to a data set's inputs and classes.

        Raises:
          ValueError: the network does not fit them; the message says why.
        """
        return dataclasses.replace(
            self,  # type: ignore
            input_shape=tuple(input_shape),
            num_classes=num_classes,
        )

    def with_precision(self, precision: str) -> Self:
        """Make a copy that computes in `float32` or `bfloat16`.

        The weights are kept, and normalisation is computed, in float32 either way.
        """
        return dataclasses.replace(self, compute_dtype=precision)  # type: ignore

    @abc.abstractmethod
    def init(self, key: jax.Array) -> Params:
        """Draw the shared weights, `float32`."""

    @abc.abstractmethod
    def apply(
        self,
        params: Params,
        stats: Stats | None,
        arch: Architecture,
        x: jax.Array,
        *,
        train: bool = False,
        key: jax.Array | None = None,
    ) -> Outputs:
        """Run one architecture.

        Args:
          params: the shared weights.
          stats: normalisation statistics from `calibrate`; None normalises by the
            batch's own.
          arch: which architecture, hard or soft; traced.
          x: `input_dtype[B, *input_shape]`.
          train: whether to apply what only training does, such as dropout.
          key: for what is random in training.

        Returns:
          Logits and features of the architecture.
        """

    @abc.abstractmethod
    def calibrate(
        self, params: Params, arch: Architecture, batches: jax.Array
    ) -> Stats:
        """Estimate an architecture's normalisation statistics.

        Args:
          params: the shared weights.
          arch: which architecture.
          batches: `input_dtype[N, B, *input_shape]`.

        Returns:
          The mean over batches of each batch's mean and biased variance, as a nested
          dictionary; empty if nothing normalises over the batch.
        """

    @abc.abstractmethod
    def extract(
        self, params: Params, stats: Stats | None, genotype: np.ndarray
    ) -> dict[str, Any]:
        """Cut one architecture's own weights out of the shared ones.

        Args:
          params: the shared weights; differentiable.
          stats: statistics from `calibrate`, or None.
          genotype: `int[D]`, static.

        Returns:
          `{"params": .., "stats": ..}`, named as in `subnet(genotype)`.
        """

    @abc.abstractmethod
    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build an architecture as an ordinary NNX module: `module(x) -> logits`."""

    @abc.abstractmethod
    def activity(self, arch: Architecture) -> Params:
        """Say how much of each shared weight an architecture uses.

        Returns:
          A tree like the parameters, broadcastable to them, in [0, 1].
        """

    @abc.abstractmethod
    def cost(self, arch: Architecture) -> dict[str, jax.Array]:
        """Count an architecture's cost, differentiably.

        Returns:
          `macs` (multiply-accumulates of one example), `params` and `bytes`, each
          `float32[]`: the expectation when soft. `costs` is exact at any magnitude.
        """

    @abc.abstractmethod
    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Count the cost of a population, exactly.

        Args:
          genotypes: integers `[P, D]`.

        Returns:
          `macs`, `params` and `bytes` (float32 storage), each `int64[P]`.
        """

    @property
    def plain(self) -> "Supernet":
        """The supernet whose weights are plain: itself, or what a wrapper wraps."""
        return self

    def layers(self, path: tuple[str, ...]) -> int | None:
        """Say how many alike layers are stacked on the leading axis under a path.

        Args:
          path: of a tensor or a group of them, such as `("blocks", "mlp")`.

        Returns:
          L, or None where nothing is stacked.
        """
        del path
        return None

    def outputs(self, path: tuple[str, ...]) -> int:
        """Count the last axes of a tensor that tell outputs apart.

        Args:
          path: of a tensor.

        Returns:
          1 for most; 2 for a query's kernel, `[n, H, h]`, or bias, `[H, h]`.
        """
        del path
        return 1

    def effective(self, genotypes: np.ndarray) -> np.ndarray:
        """Say which decisions have an effect on the network's function.

        By default those that the space's conditions keep alive; a supernet that knows
        more, such as edges on no path through a cell, says less.

        Args:
          genotypes: integers `[P, D]`.

        Returns:
          `bool[P, D]`.
        """
        genotypes = self.space.canonical(self.space.validate(genotypes))
        return np.asarray(self.space.alive(genotypes))

    def cost_order(self) -> np.ndarray:
        """Rank each decision's options by cost, all else as in the largest.

        Returns:
          `int32[D, O]`: 0 for the cheapest option by (MACs, parameters), and so on up;
          equal ones in the order of the space; -1 where there is no option.
        """
        order = np.full(self.space.valid.shape, -1, np.int32)
        largest = self.largest()
        for d, n in enumerate(self.space.num_options):
            rows = np.repeat(largest[None], n, axis=0)
            rows[:, d] = np.arange(n)
            cost = self.costs(rows)
            order[d, np.lexsort((cost["params"], cost["macs"]))] = np.arange(n)
        return order

    def largest(self) -> np.ndarray:
        """Give the genotype that costs the most, `int32[D]`."""
        return self._extreme(sign=-1)

    def smallest(self) -> np.ndarray:
        """Give the genotype that costs the least, `int32[D]`."""
        return self._extreme(sign=1)

    def _extreme(self, sign: int) -> np.ndarray:
        # Coordinate descent on (MACs, parameters). A decision that only opens others,
        # such as depth, is visited before and after them.
        genotype = np.zeros(self.space.num_decisions, np.int32)
        for _ in range(3):
            for d, n in enumerate(self.space.num_options):
                rows = np.repeat(genotype[None], n, axis=0)
                rows[:, d] = np.arange(n)
                cost = self.costs(rows)
                order = np.lexsort((sign * cost["params"], sign * cost["macs"]))
                genotype = rows[order[0]]
        return self.space.canonical(genotype)

"""The latency of a device as a function of the genotype, known without evaluating.

Letters in shapes: P population, D decisions, O options, N architectures known.
"""

import dataclasses
import functools
import hashlib

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.latency.features import encode, encode_mixture
from predictors.base import Fitted
from predictors.latency import FittedLatency
from supernets import Supernet

COLUMN = "latency_ms"
_PROBES = 256


@dataclasses.dataclass(frozen=True, eq=False)
class LatencyModel:
    """Milliseconds of every architecture of a supernet on one device.

    Attributes:
      supernet: whose architectures.
      fitted: from features to ms.
      text: where the numbers come from, for people.
      genotypes: `int32[N, D]`, canonical, each once, of which the latency itself is
        given instead of what the model predicts.
      known: `float64[N]`, their ms.
    """

    supernet: Supernet
    fitted: Fitted
    text: str
    genotypes: np.ndarray
    known: np.ndarray

    def __call__(self, genotypes: np.ndarray) -> np.ndarray:
        """Give the latency of a population.

        Args:
          genotypes: `int32[P, D]`, canonical or not.

        Returns:
          `float64[P]`, ms, never below 0.
        """
        space = self.supernet.space
        rows = np.ascontiguousarray(
            space.canonical(np.asarray(genotypes, np.int32)), np.int32
        )
        places = np.array([self._places.get(row.tobytes(), -1) for row in rows], int)
        ms = np.empty(len(rows))
        ms[places >= 0] = self.known[places[places >= 0]]
        missing = places < 0
        if missing.any():
            predicted = self.fitted.predict(encode(self.supernet, rows[missing])).mean
            ms[missing] = np.maximum(predicted, 0.0)
        return ms

    def expected(self, weights: jax.Array) -> jax.Array:
        """Give what a soft architecture takes on average, differentiably.

        The model's prediction, also where the latency itself is known.

        Args:
          weights: `float32[D, O]`, rows on the simplex, as `Architecture.soft` takes
            them; traced.

        Returns:
          `float32[]`, ms, never below 0.

        Raises:
          UserError: the predictor cannot be differentiated.
        """
        if not isinstance(self.fitted, FittedLatency):
            raise UserError(
                f"latency: {type(self.fitted).__name__} cannot be differentiated, as "
                "gradient methods need it. Leave latency.predictor out to have the "
                "linear model, or use a controller without gradients."
            )
        return jnp.maximum(
            self.fitted.expected(encode_mixture(self.supernet, weights)), 0.0
        )

    @property
    def complete(self) -> bool:
        """Whether no architecture needs to be predicted."""
        return len(self.genotypes) == self.supernet.space.size

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when the latencies do."""
        space = self.supernet.space
        rng = np.random.Generator(np.random.Philox(0))
        shape = (_PROBES, space.num_decisions)
        probes = rng.integers(0, space.num_options, shape).astype(np.int32)
        digest = hashlib.sha256(space.hash.encode())
        digest.update(np.ascontiguousarray(self.genotypes, np.int32).tobytes())
        for ms in (self.known, self(probes)):
            # Rounded, as another machine may add in another order.
            digest.update(" ".join(f"{value:.6g}" for value in ms).encode())
        return digest.hexdigest()[:16]

    @functools.cached_property
    def _places(self) -> dict[bytes, int]:
        rows = np.ascontiguousarray(self.genotypes, np.int32)
        return {row.tobytes(): place for place, row in enumerate(rows)}

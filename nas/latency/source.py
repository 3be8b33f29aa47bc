"""Where latencies come from, and what every source refuses.

Letters in shapes: D decisions, N architectures known.
"""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.errors import UserError
from nas.latency.features import COSTS, encode
from nas.latency.model import LatencyModel
from predictors.base import Predictor
from predictors.latency import standard
from search_spaces import SearchSpace
from search_spaces.errors import SpaceError
from supernets import Supernet

LEAST = 8
"""Architectures without which no model is fitted."""


class LatencySource(abc.ABC):
    """Names latencies and loads them. Concrete ones are frozen dataclasses."""

    @abc.abstractmethod
    def load(self, supernet: Supernet) -> LatencyModel:
        """Read the latencies of a supernet's architectures.

        Args:
          supernet: fitted to its data.

        Returns:
          The model.

        Raises:
          UserError: there is no such file, it is damaged, or it is of other networks.
        """


def checked_points(
    space: SearchSpace, genotypes: Any, ms: Any, where: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Refuse latencies that cannot be.

    Args:
      space: of the genotypes.
      genotypes: integers `[N, D]`.
      ms: numbers `[N]`.
      where: of each, the place to name in a message.

    Returns:
      `int32[N, D]`, canonical, each once, and `float64[N]`.

    Raises:
      UserError: no genotype of the space, a latency that is not above 0, or an
        architecture that is there twice.
    """
    values = np.asarray(ms, np.float64)
    rows = _canonical(space, genotypes, where)
    for value, place in zip(values, where, strict=True):
        if not (np.isfinite(value) and value > 0):
            raise UserError(
                f"{place}: the latency is {value} ms; it must be a number above 0. "
                "Leave out what could not be measured."
            )
    first: dict[bytes, str] = {}
    for row, place in zip(rows, where, strict=True):
        key = row.tobytes()
        if key in first:
            raise UserError(
                f"{place}: architecture {space.id(row)} is there already, in "
                f"{first[key]}; each may be there once. Equal computations count as "
                "one: options of decisions without effect do not tell them apart."
            )
        first[key] = place
    return rows, values


def _canonical(space: SearchSpace, genotypes: Any, where: Sequence[str]) -> np.ndarray:
    """Give canonical genotypes, `int32[N, D]`, or say which is none."""
    if isinstance(genotypes, np.ndarray) and not len(genotypes):
        return genotypes.astype(np.int32).reshape(0, space.num_decisions)
    try:
        checked = [
            space.validate(row, at) for row, at in zip(genotypes, where, strict=True)
        ]
    except SpaceError as error:
        raise UserError(str(error)) from error
    rows = np.array(checked, np.int32).reshape(-1, space.num_decisions)
    return np.ascontiguousarray(space.canonical(rows), np.int32)


def model_of_points(
    supernet: Supernet,
    genotypes: np.ndarray,
    ms: np.ndarray,
    predictor: Predictor | None,
    text: str,
    exact: bool,
) -> LatencyModel:
    """Fit a model to architectures whose latency is known.

    Args:
      supernet: whose architectures.
      genotypes: `int32[N, D]`, from `checked_points`.
      ms: `float64[N]`.
      predictor: what is fitted; None for the standard one.
      text: where they come from, for people.
      exact: whether the given latencies stand for themselves; a complete list does in
        any case.

    Returns:
      The model.

    Raises:
      UserError: some must be predicted, and too few are known to fit anything.
    """
    space = supernet.space
    complete = len(genotypes) == space.size
    if not complete and len(genotypes) < LEAST:
        raise UserError(
            f"{text}: {len(genotypes)} architectures are too few to fit a model of the "
            f"{space.size:,} of space {space.name!r}; give {LEAST} or more, or all."
        )
    chosen = predictor or standard(len(COSTS))
    fitted = chosen.fit(encode(supernet, genotypes), ms)
    if not (exact or complete):
        genotypes, ms = genotypes[:0], ms[:0]
    return LatencyModel(supernet, fitted, text, genotypes, ms)

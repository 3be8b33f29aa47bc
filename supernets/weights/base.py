"""Kinds of weight: how a shared tensor is made for an architecture, before masks.

A plain weight is its tensor. Another kind keeps other parameters in its place, such as
several experts and a router (Jawahar et al., "Mixture-of-Supernets", Findings of ACL
2024, arXiv 2306.04845), and folds them into a plain tensor for each architecture. The
fold happens once, in front of the supernet, so that layers, masks, extraction and cost
never learn of it, and an exported subnet is a plain one.
"""

import abc
import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Self

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, SearchSpace
from supernets.base import Outputs, Params, Stats, Supernet
from supernets.paths import flatten


class Weight(abc.ABC):
    """A kind of weight, in place of a tensor or of a group of them. Frozen."""

    @abc.abstractmethod
    def init(
        self, key: jax.Array, space: SearchSpace, plain: Any, layers: int | None
    ) -> Any:
        """Make the parameters that take the place of plain ones.

        Args:
          key: a JAX random key.
          space: of the architectures to come.
          plain: a tensor, or a nested dictionary of them, as the supernet drew it.
          layers: L, if the tensors have a leading axis of L stacked layers.

        Returns:
          A nested dictionary of arrays.
        """

    @abc.abstractmethod
    def fold(self, params: Any, arch: Architecture, layers: int | None) -> Any:
        """Make plain tensors for an architecture, differentiably.

        Args:
          params: what `init` made.
          arch: hard or soft.
          layers: as for `init`.

        Returns:
          A tree like `plain`.
        """

    @abc.abstractmethod
    def activity(self, params: Any, arch: Architecture, plain: Any) -> Any:
        """Say how much of the parameters an architecture uses.

        Args:
          params: what `init` made; only shapes matter.
          arch: hard or soft.
          plain: the activity of the plain tensors.

        Returns:
          A tree like `params`, broadcastable to it.
        """


Rules = tuple[tuple[str, Weight], ...]


@dataclasses.dataclass(frozen=True)
class WeightedSupernet(Supernet):
    r"""A supernet some of whose weights are of another kind.

    Example:
      WeightedSupernet(supernet, ((r"stage_\d/edges/\d/operations/3", kind),))

    Attributes:
      base: the supernet; it may itself be a `WeightedSupernet`.
      rules: regular expressions on whole paths of tensors or groups (`classifier`,
        `classifier/kernel`), each with the kind of weight that takes their place; the
        first that matches, from the root downwards, counts.
    """

    base: Supernet
    rules: Rules

    def __post_init__(self) -> None:
        """Refuse rules that match nothing."""
        matched = {pattern for _, pattern, _ in self._places}
        for pattern, _ in self.rules:
            if pattern not in matched:
                paths = ["/".join(p) for p in flatten(self._plain)]
                raise ValueError(
                    f"weights: the rule {pattern!r} is the first to match nothing. "
                    f"Paths are such as {', '.join(paths[:8])}; a rule names a whole "
                    "path or the beginning of one."
                )

    @property
    def space(self) -> SearchSpace:  # type: ignore[override]
        """The search space of the base."""
        return self.base.space

    @property
    def input_shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        """The input of the base."""
        return self.base.input_shape

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        """The length of the logits."""
        return self.base.num_classes

    @property
    def compute_dtype(self) -> str:  # type: ignore[override]
        """What the base computes in."""
        return self.base.compute_dtype

    @property
    def plain(self) -> Supernet:
        """The base's own plain supernet; see `Supernet.plain`."""
        return self.base.plain

    def with_data(self, input_shape: tuple[int, int, int], num_classes: int) -> Self:
        """Fit a copy to a data set; see `Supernet.with_data`."""
        base = self.base.with_data(input_shape, num_classes)
        return dataclasses.replace(self, base=base)

    def with_precision(self, precision: str) -> Self:
        """Make a copy of another precision; see `Supernet.with_precision`."""
        return dataclasses.replace(self, base=self.base.with_precision(precision))

    def layers(self, path: tuple[str, ...]) -> int | None:
        """Say how many layers are stacked under a path; see `Supernet.layers`."""
        return self.base.layers(path)

    def init(self, key: jax.Array) -> Params:
        """Draw the weights; see `Supernet.init`. Plain ones are the base's own."""
        places = iter(range(len(self._places)))

        def make(path: tuple[str, ...], weight: Weight, plain: Any) -> Any:
            own = jax.random.fold_in(key, next(places))
            return weight.init(own, self.space, plain, self.layers(path))

        return self._replace(self.base.init(key), make)

    def fold(self, params: Params, arch: Architecture) -> Params:
        """Make the base's plain weights for an architecture."""
        return self._replace(
            params,
            lambda path, weight, own: weight.fold(own, arch, self.layers(path)),
        )

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
        """Run one architecture; see `Supernet.apply`."""
        plain = self.fold(params, arch)
        return self.base.apply(plain, stats, arch, x, train=train, key=key)

    def calibrate(
        self, params: Params, arch: Architecture, batches: jax.Array
    ) -> Stats:
        """Estimate normalisation statistics; see `Supernet.calibrate`."""
        return self.base.calibrate(self.fold(params, arch), arch, batches)

    def extract(
        self, params: Params, stats: Stats | None, genotype: np.ndarray
    ) -> dict[str, Any]:
        """Fold, and cut out plain weights; see `Supernet.extract`."""
        plain = self.fold(params, Architecture.hard(self.space, genotype))
        return self.base.extract(plain, stats, genotype)

    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build the base's subnet; see `Supernet.subnet`."""
        return self.base.subnet(genotype)

    def activity(self, arch: Architecture) -> Params:
        """Say how much of each weight is used; see `Supernet.activity`."""
        shapes = jax.eval_shape(self.init, jax.random.key(0))
        plain = self.base.activity(arch)

        def make(path: tuple[str, ...], weight: Weight, used: Any) -> Any:
            own: Any = shapes
            for name in path:
                own = own[name]
            return weight.activity(own, arch, used)

        return self._replace(plain, make)

    def cost(self, arch: Architecture) -> dict[str, jax.Array]:
        """Count the cost of the folded network; see `Supernet.cost`."""
        return self.base.cost(arch)

    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Count the cost of folded networks; see `Supernet.costs`."""
        return self.base.costs(genotypes)

    @property
    def _plain(self) -> Params:
        return jax.eval_shape(self.base.init, jax.random.key(0))

    @property
    def _places(self) -> list[tuple[tuple[str, ...], str, Weight]]:
        """Where a rule matches: the path, the rule's expression and its kind."""
        found: list[tuple[tuple[str, ...], str, Weight]] = []

        def visit(node: Any, path: tuple[str, ...]) -> None:
            for pattern, weight in self.rules:
                if path and re.fullmatch(pattern, "/".join(path)):
                    found.append((path, pattern, weight))
                    return
            for name, child in node.items() if isinstance(node, Mapping) else ():
                visit(child, (*path, name))

        visit(self._plain, ())
        return found

    def _replace(
        self, tree: Params, make: Callable[[tuple[str, ...], Weight, Any], Any]
    ) -> Params:
        """Copy a tree with what lies at each matched path made anew."""
        places = {path: weight for path, _, weight in self._places}

        def visit(node: Any, path: tuple[str, ...]) -> Any:
            if path in places:
                return make(path, places[path], node)
            if not isinstance(node, Mapping):
                return node
            return {name: visit(child, (*path, name)) for name, child in node.items()}

        return visit(tree, ())

"""A supernet some of whose tensors are of other kinds than plain."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Self

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, SearchSpace
from supernets.base import Outputs, Params, Stats, Supernet
from supernets.paths import Path, flatten
from supernets.weights.base import Place, Rules, Weight


@dataclasses.dataclass(frozen=True)
class _Match:
    """Where a rule matches, and what takes the place of what lies there."""

    path: Path
    pattern: str
    weight: Weight
    place: Place


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
        """Refuse rules that match nothing, and kinds that the space cannot have."""
        for _, weight in self.rules:
            weight.check(self.space)
        matched = {found.pattern for found in self._matches.values()}
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
    def input_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The input of the base."""
        return self.base.input_shape

    @property
    def input_dtype(self) -> str:  # type: ignore[override]
        """The type of the base's input."""
        return self.base.input_dtype

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

    def with_data(self, input_shape: tuple[int, ...], num_classes: int) -> Self:
        """Fit a copy to a data set; see `Supernet.with_data`."""
        base = self.base.with_data(input_shape, num_classes)
        return dataclasses.replace(self, base=base)

    def with_precision(self, precision: str) -> Self:
        """Make a copy of another precision; see `Supernet.with_precision`."""
        return dataclasses.replace(self, base=self.base.with_precision(precision))

    def layers(self, path: Path) -> int | None:
        """Say how many layers are stacked under a path; see `Supernet.layers`."""
        return self.base.layers(path)

    def outputs(self, path: Path) -> int:
        """Count the output axes of a tensor; see `Supernet.outputs`.

        Of what takes the place of another tensor, only the last axis is one.
        """
        inside = any(path[: len(place)] == place for place in self._matches)
        return 1 if inside else self.base.outputs(path)

    def init(self, key: jax.Array) -> Params:
        """Draw the weights; see `Supernet.init`. Plain ones are the base's own."""
        numbers = iter(range(len(self._matches)))

        def make(match: _Match, plain: Any) -> Any:
            own = jax.random.fold_in(key, next(numbers))
            return match.weight.init(own, self.space, plain, match.place)

        return self._replace(self.base.init(key), make)

    def fold(self, params: Params, arch: Architecture) -> Params:
        """Make the base's plain weights for an architecture."""
        return self._replace(
            params, lambda match, own: match.weight.fold(own, arch, match.place)
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

        def make(match: _Match, used: Any) -> Any:
            own = _at(shapes, match.path)
            return match.weight.activity(own, arch, used, match.place)

        return self._replace(self.base.activity(arch), make)

    def cost(self, arch: Architecture) -> dict[str, jax.Array]:
        """Count the cost of the folded network; see `Supernet.cost`."""
        return self.base.cost(arch)

    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Count the cost of folded networks; see `Supernet.costs`."""
        return self.base.costs(genotypes)

    @functools.cached_property
    def _plain(self) -> Params:
        return jax.eval_shape(self.base.init, jax.random.key(0))

    @functools.cached_property
    def _matches(self) -> dict[Path, _Match]:
        """Where a rule matches, in the order of the tree."""
        found: dict[Path, _Match] = {}

        def visit(node: Any, path: Path) -> None:
            for pattern, weight in self.rules:
                if path and re.fullmatch(pattern, "/".join(path)):
                    place = Place(self.layers(path), self._outputs(node, path))
                    found[path] = _Match(path, pattern, weight, place)
                    return
            for name, child in node.items() if isinstance(node, Mapping) else ():
                visit(child, (*path, name))

        visit(self._plain, ())
        return found

    def _outputs(self, node: Any, path: Path) -> Any:
        if not isinstance(node, Mapping):
            return self.base.outputs(path)
        return {n: self._outputs(child, (*path, n)) for n, child in node.items()}

    def _replace(self, tree: Params, make: Callable[[_Match, Any], Any]) -> Params:
        """Copy a tree with what lies at each matched path made anew."""

        def visit(node: Any, path: Path) -> Any:
            if path in self._matches:
                return make(self._matches[path], node)
            if not isinstance(node, Mapping):
                return node
            return {name: visit(child, (*path, name)) for name, child in node.items()}

        return visit(tree, ())


def _at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree[name]
    return tree

"""A supernet made of elastic layers: everything that follows from declarations.

A concrete supernet gives its network (an NNX module of elastic layers), its scopes
(which parts are stacked layers, and when a part exists) and where each weight lies in
the subnet. Activity, extraction, cost and calibration are derived here, once, for all.
NNX modules are split and merged at this boundary and appear nowhere else.
"""

import abc
import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from search_spaces import Architecture
from supernets.axis import (
    Axes,
    Axis,
    Spec,
    active_counts,
    active_rows,
    broadcast_to_rank,
    mask_of,
    union,
)
from supernets.base import Outputs, Params, Stats, Supernet
from supernets.cost import CostTable, Term
from supernets.layers.mode import CALIBRATE, Mode
from supernets.layers.precision import at_least_float32
from supernets.paths import flatten, unflatten

Path = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Scope:
    """What holds for all weights under a path.

    Attributes:
      path: the beginning of the weights' paths.
      length: L, if the weights have a leading axis of L stacked layers.
      names: for each decision as the layers call it, its L names in the space.
      presence: the decisions on which the part's existence depends, and
        `bool[K, L]` (or `[K, 1]` if not stacked here): under which options.
    """

    path: Path
    length: int | None = None
    names: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    presence: Axis | None = None


@dataclasses.dataclass(frozen=True)
class Slot:
    """One layer's part of one shared tensor, in the space's own terms.

    Attributes:
      path: of the tensor in the supernet.
      layer: its index on the leading axis, or None if not stacked.
      shape: without that axis.
      axes: as the layer declares them.
      names: from the layer's names of decisions to the space's.
      presence: axes of length 1, each saying when a part it lies in exists; their
        names are the space's.
      positions: as in `Spec`.
    """

    path: Path
    layer: int | None
    shape: tuple[int, ...]
    axes: Axes
    names: Mapping[str, str]
    presence: tuple[Axis, ...]
    positions: int


@dataclasses.dataclass(frozen=True)
class ElasticSupernet(Supernet):
    """A supernet whose layers declare how their tensors depend on decisions.

    Attributes:
      compute_dtype: of activations and of the weights when they are used; the weights
        are kept, and normalisation is computed, in float32.
    """

    compute_dtype: str = dataclasses.field(default="float32", kw_only=True)

    # --------------------------------------------------- what a family defines
    @abc.abstractmethod
    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network: called as `network(arch, x, mode) -> Outputs`."""

    @abc.abstractmethod
    def scopes(self) -> tuple[Scope, ...]:
        """Say which parts are stacked, and when a part exists."""

    @abc.abstractmethod
    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say where a weight of the supernet lies in a subnet."""

    def choices(self, genotype: np.ndarray) -> dict[str, Any]:
        """Give the option of each decision of an architecture, `int32[D]`."""
        return self.space.decode(self.space.canonical(self.space.validate(genotype)))

    def extra_macs(self) -> tuple[Term, ...]:
        """Count multiply-accumulates that belong to no weight, such as attention's."""
        return ()

    # ---------------------------------------------------------------- running
    def init(self, key: jax.Array) -> Params:
        """Draw the shared weights; see `Supernet.init`."""
        _, params, _ = nnx.split(self.network(nnx.Rngs(key)), nnx.Param, ...)
        return unflatten(_values(params))

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
        mode = Mode(train=train, given=bool(stats), collect=False)
        return self._run(params, stats or {}, arch, x, mode)[0]

    def calibrate(
        self, params: Params, arch: Architecture, batches: jax.Array
    ) -> Stats:
        """Estimate normalisation statistics; see `Supernet.calibrate`."""
        if not self._declarations[1]:
            return {}

        def add(total: Stats, x: jax.Array) -> tuple[Stats, None]:
            _, stats = self._run(params, {}, arch, x, CALIBRATE)
            return jax.tree.map(jnp.add, total, stats), None

        shapes = jax.eval_shape(
            lambda x: self._run(params, {}, arch, x, CALIBRATE)[1], batches[0]
        )
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        total, _ = jax.lax.scan(add, zeros, batches)
        return jax.tree.map(lambda leaf: leaf / batches.shape[0], total)

    def _run(
        self, params: Params, stats: Stats, arch: Architecture, x: jax.Array, mode: Mode
    ) -> tuple[Outputs, Stats]:
        dtype = jnp.dtype(self.compute_dtype)
        cast = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
        model = self._merge(cast, stats)
        if self.input_dtype == "float32":
            outputs, result = model(arch, x.astype(dtype), mode), x.dtype
        else:
            # Tokens stay what they are: half precision would hold few of them.
            outputs, result = model(arch, x, mode), at_least_float32(dtype)
        outputs = jax.tree.map(lambda leaf: leaf.astype(result), outputs)
        if not mode.collect:
            return outputs, {}
        return outputs, unflatten(_values(nnx.state(model, nnx.BatchStat)))

    def _merge(self, params: Params, stats: Stats) -> Any:
        graphdef, abstract = self._abstract
        given = flatten(params) | flatten(stats)
        leaves = []
        for path, variable in nnx.to_flat_state(abstract):
            name = tuple(map(str, path))
            if name in given:
                value = given[name]
            else:
                # Statistics that were not given are not read: batch statistics are.
                leaf = variable.get_value()
                value = jnp.zeros(leaf.shape, leaf.dtype)
            leaves.append((path, variable.replace(value)))
        return nnx.merge(graphdef, nnx.from_flat_state(dict(leaves)))

    @functools.cached_property
    def _abstract(self) -> tuple[Any, Any]:
        model = nnx.eval_shape(lambda: self.network(nnx.Rngs(0)))
        return nnx.split(model)

    # ----------------------------------------------------------- declarations
    @functools.cached_property
    def _declarations(self) -> tuple[dict[Path, Any], dict[Path, Any]]:
        """The variables of weights, and of statistics, by path."""
        _, state = self._abstract
        weights: dict[Path, Any] = {}
        stats: dict[Path, Any] = {}
        for path, variable in nnx.to_flat_state(state):
            into = weights if issubclass(variable.type, nnx.Param) else stats
            into[tuple(map(str, path))] = variable
        return weights, stats

    @functools.cached_property
    def _space_options(self) -> dict[str, int]:
        return dict(zip(self.space.names, self.space.num_options, strict=True))

    def _scopes_of(self, path: Path) -> tuple[int | None, dict[str, Any], list[Axis]]:
        length: int | None = None
        names: dict[str, Any] = {}
        presence = []
        for scope in self.scopes():
            if path[: len(scope.path)] == scope.path:
                length = scope.length if scope.length is not None else length
                names.update(scope.names)
                if scope.presence is not None:
                    presence.append(scope.presence)
        return length, names, presence

    def _slots(self, variables: Mapping[Path, Any]) -> Iterator[Slot]:
        """Take shared tensors apart into layers."""
        for path, variable in variables.items():
            spec: Spec = variable.get_metadata()["spec"]
            shape = tuple(variable.get_value().shape)
            length, local, presence = self._scopes_of(path)
            for layer in range(length or 1):
                names = {name: per[layer] for name, per in local.items()}
                for axis in spec.axes:
                    for name in axis.names if axis is not None else ():
                        names.setdefault(name, name)
                yield Slot(
                    path,
                    layer if length else None,
                    shape[1:] if length else shape,
                    spec.axes,
                    names,
                    tuple(_at_layer(axis, layer) for axis in presence),
                    spec.positions,
                )

    # --------------------------------------------------------------- activity
    def activity(self, arch: Architecture) -> Params:
        """Say how much of each weight is used; see `Supernet.activity`."""
        arch = arch.given_alive()
        result: dict[Path, jax.Array] = {}
        for path, variable in self._declarations[0].items():
            spec: Spec = variable.get_metadata()["spec"]
            rank = len(variable.get_value().shape)
            length, names, presence = self._scopes_of(path)
            mask = self._stacked_mask(arch, spec.axes, length, names)
            mask = jnp.ones((1,) * rank, jnp.float32) if mask is None else mask
            for axis in presence:
                exists = mask_of((axis,), {name: arch[name] for name in axis.names})
                mask = mask * broadcast_to_rank(jnp.asarray(exists), rank)
            result[path] = mask
        return unflatten(result)

    def _stacked_mask(
        self,
        arch: Architecture,
        axes: Axes,
        length: int | None,
        names: Mapping[str, Any],
    ) -> jax.Array | None:
        used, _ = union(axes)
        shared = {name: arch[name] for name in used if name not in names}
        if length is None:
            return mask_of(axes, shared)
        stacked = {name: arch.stack(names[name]) for name in used if name in names}
        if not stacked:
            mask = mask_of(axes, shared)
            return None if mask is None else mask[None]
        return jax.vmap(lambda own: mask_of(axes, shared | own))(stacked)

    def layers(self, path: Path) -> int | None:
        """Say how many layers are stacked under a path; see `Supernet.layers`."""
        return self._scopes_of(path)[0]

    def outputs(self, path: Path) -> int:
        """Count the output axes that a tensor declares; see `Supernet.outputs`."""
        return self._declarations[0][path].get_metadata()["spec"].outputs

    # -------------------------------------------------------------- extraction
    def extract(
        self, params: Params, stats: Stats | None, genotype: np.ndarray
    ) -> dict[str, Any]:
        """Cut out one architecture's weights; see `Supernet.extract`."""
        genotype = self.space.canonical(self.space.validate(genotype))
        taken = dict(zip(self.space.names, (int(i) for i in genotype), strict=True))
        weights, statistics = self._declarations
        return {
            "params": self._cut(weights, params, taken),
            "stats": self._cut(statistics, stats, taken) if stats else {},
        }

    def _cut(
        self, variables: Mapping[Path, Any], tree: Any, taken: Mapping[str, int]
    ) -> dict[str, Any]:
        values = flatten(tree)
        result: dict[Path, Any] = {}
        for slot in self._slots(variables):
            if not all(len(active_rows(axis, taken)) for axis in slot.presence):
                continue
            value = values[slot.path]
            if slot.layer is not None:
                value = value[slot.layer]
            local = {name: taken[per] for name, per in slot.names.items()}
            rows = {
                a: active_rows(axis, local)
                for a, axis in enumerate(slot.axes)
                if axis is not None
            }
            # An option under which an axis has no entry has no such tensor.
            if not all(len(own) for own in rows.values()):
                continue
            for a, own in rows.items():
                value = jnp.take(value, own, axis=a)
            result[self.subnet_path(slot.path, slot.layer)] = value
        return unflatten(result)

    # -------------------------------------------------------------------- cost
    @functools.cached_property
    def _cost_tables(self) -> dict[str, CostTable]:
        params, macs = [], list(self.extra_macs())
        for slot in self._slots(self._declarations[0]):
            own, _ = union(slot.axes)
            names = tuple(
                dict.fromkeys(
                    [n for axis in slot.presence for n in axis.names]
                    + [slot.names[name] for name in own]
                )
            )
            num_options = tuple(self._space_options[name] for name in names)
            renamed = tuple(_rename(axis, slot.names) for axis in slot.axes)
            counts = active_counts(renamed, slot.shape, names, num_options)
            counts = counts * active_counts(
                slot.presence, (1,) * len(slot.presence), names, num_options
            )
            params.append(Term(names, counts.reshape(num_options)))
            if slot.positions:
                macs.append(Term(names, slot.positions * counts.reshape(num_options)))
        return {
            "macs": CostTable.of(macs),
            "params": CostTable.of(params),
            "bytes": CostTable.of([Term(t.names, 4 * t.values) for t in params]),
        }

    def cost(self, arch: Architecture) -> dict[str, jax.Array]:
        """Count cost, differentiably; see `Supernet.cost`."""
        arch = arch.given_alive()
        return {name: table.expect(arch) for name, table in self._cost_tables.items()}

    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Count cost exactly; see `Supernet.costs`."""
        genotypes = self.space.canonical(self.space.validate(genotypes))
        return {
            name: table.count(self.space, genotypes)
            for name, table in self._cost_tables.items()
        }

    def __hash__(self) -> int:
        """Hash by the fields, so that a supernet may be static in a jitted function."""
        fields = dataclasses.fields(self)
        return hash((type(self), *(getattr(self, f.name) for f in fields)))


def _values(state: Any) -> dict[Path, Any]:
    return {
        tuple(map(str, path)): variable.get_value()
        for path, variable in nnx.to_flat_state(state)
    }


def _at_layer(axis: Axis, layer: int) -> Axis:
    column = layer if axis.size > 1 else 0
    return Axis(axis.names, axis.num_options, axis.member[:, column : column + 1])


def _rename(axis: Axis | None, names: Mapping[str, str]) -> Axis | None:
    if axis is None:
        return None
    return dataclasses.replace(axis, names=tuple(names[n] for n in axis.names))


def num_params(params: Params) -> int:
    """Count the entries of a tree of arrays."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))

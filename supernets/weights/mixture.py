"""Mixtures of experts as weights: a router that sees the architecture mixes them.

Jawahar et al., "Mixture-of-Supernets: Improving Weight-Sharing Supernet Training with
Architecture-Routed Mixture-of-Experts", Findings of ACL 2024, arXiv 2306.04845. In
place of one tensor, E of them are kept; an architecture's own is their convex
combination. The router sees no input, only the canonical architecture, so that experts
are mixed once for an architecture, and its subnet has neither router nor experts.

Letters in shapes: E experts, L stacked layers, F length of the encoding, D decisions,
O options, H hidden units of the router, rows: the output axes of a tensor.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from search_spaces import Architecture, SearchSpace
from supernets.layers.drawing import HE, draw
from supernets.layers.precision import at_least_float32
from supernets.paths import Path, flatten, unflatten
from supernets.weights.base import Place, Weight

GRANULARITIES = ("layer", "neuron")
ENCODINGS = ("one_hot", "ordinal", "fixed", "shuffled")


class _Group(NamedTuple):
    """The tensors that one router mixes.

    Attributes:
      name: the path of the router's parameters.
      rows: the output axes that have a mix for each entry; none by layer.
      members: the paths of the tensors.
    """

    name: Path
    rows: tuple[int, ...]
    members: tuple[Path, ...]


@dataclasses.dataclass(frozen=True)
class Mixture(Weight):
    """E tensors in place of one, mixed by what the architecture is.

    The router has one hidden layer of ReLUs and ends in a softmax over experts. Its
    parameters and its arithmetic have at least the precision of float32; the folded
    tensor has the type of the experts. With one expert there is no router, and the
    weight is the plain one.

    Experts start as copies of the plain tensor, each entry a random fraction apart. The
    fractions of the experts sum to zero, so that their mean is the plain tensor, and a
    supernet starts with weights of the size that its layers ask for. Without them, and
    with a uniform router, experts would never separate: each would have the same
    gradient, and the router none.
    """

    experts: int = 2
    """E. The published settings have 2 (masked language models) and 6 (translation)."""

    granularity: str = "layer"
    """layer: one mix for all that a rule matches, in each layer; neuron: a mix for each
    output, which a kernel and its bias share."""

    hidden: int = 128
    """Hidden units of a router."""

    encoding: str = "one_hot"
    """What the router sees: one_hot, the point over every decision's options; ordinal,
    each decision's expected value, from 0 to 1. Controls: fixed, the same for all;
    shuffled, that of another architecture, drawn anew for each."""

    jitter: float = 0.5
    """How far experts start apart, as a fraction of each entry; 0: not at all. Of a
    small one, an adaptive optimiser may settle the router before they differ."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("experts", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"mixture: {name} is {getattr(self, name)}, it must be at least 1."
                )
        if not 0 <= self.jitter < float("inf"):
            raise ValueError(
                f"mixture: jitter is {self.jitter}, it must be 0 or more, and finite."
            )
        allowed = {"granularity": GRANULARITIES, "encoding": ENCODINGS}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(
                    f"mixture: {name} is {getattr(self, name)!r}; allowed: "
                    f"{', '.join(values)}."
                )

    def check(self, space: SearchSpace) -> None:
        """Refuse ordinal encodings of options that are no numbers."""
        if self.encoding != "ordinal":
            return
        for decision in space.decisions:
            words = [o for o in decision.options if not isinstance(o, int | float)]
            if words:
                raise ValueError(
                    f"mixture: encoding is 'ordinal', but {decision.name!r} of space "
                    f"{space.name!r} has the option {words[0]!r}, which is no number. "
                    "Use 'one_hot'."
                )

    # ------------------------------------------------------------------ parameters
    def init(self, key: jax.Array, space: SearchSpace, plain: Any, place: Place) -> Any:
        """Spread experts about the plain tensors, and draw routers.

        Returns:
          `experts`, like `plain` with an axis E in front (behind that of layers); and,
          unless E is 1, `router`: `hidden` and `output`, each with `kernel` and `bias`.
          The output kernel is `[H, *rows, E]`: what belongs to a row lies together,
          whatever the number of rows. By neuron there is a router for each set of rows,
          under the names of what has them.
        """
        rngs, axis = nnx.Rngs(key), _expert_axis(place)

        def spread(leaf: jax.Array) -> jax.Array:
            copies = jnp.repeat(jnp.expand_dims(leaf, axis), self.experts, axis)
            if self.experts == 1 or not self.jitter:
                return copies
            apart = draw(rngs, copies.shape, 1).astype(leaf.dtype)
            apart = apart - apart.mean(axis, keepdims=True)
            return copies * (1 + self.jitter * apart)

        experts = {path: spread(leaf) for path, leaf in _leaves(plain).items()}
        params = {"experts": _tree(experts)}
        if self.experts > 1:
            routers: dict[Path, jax.Array] = {}
            for group in self._groups(params, place):
                own = self._draw_router(rngs, space, group.rows, place.layers)
                routers |= {(*group.name, *path): leaf for path, leaf in own.items()}
            params["router"] = unflatten(routers)
        return params

    def _draw_router(
        self,
        rngs: nnx.Rngs,
        space: SearchSpace,
        rows: tuple[int, ...],
        layers: int | None,
    ) -> dict[Path, jax.Array]:
        stack = () if layers is None else (layers,)
        length = self._length(space)
        inner, outer = (length, self.hidden), (self.hidden, *rows, self.experts)
        return {
            ("hidden", "kernel"): draw(rngs, (*stack, *inner), length, gain=HE),
            ("hidden", "bias"): jnp.zeros((*stack, *inner[1:]), jnp.float32),
            ("output", "kernel"): draw(rngs, (*stack, *outer), self.hidden),
            ("output", "bias"): jnp.zeros((*stack, *outer[1:]), jnp.float32),
        }

    def _groups(self, params: Any, place: Place) -> list[_Group]:
        """List the routers, and the tensors that each of them mixes."""
        axis, experts = _expert_axis(place), _leaves(params["experts"])
        if self.granularity == "layer":
            return [_Group((), (), tuple(experts))]
        outputs = _leaves(place.outputs)
        found: dict[tuple[Path, tuple[int, ...]], list[Path]] = {}
        for path, leaf in experts.items():
            # A kernel and its bias lie beside each other, and have the same rows.
            rows = leaf.shape[axis + 1 :][-outputs[path] :]
            name = (*path[:-1], "rows_" + "x".join(map(str, rows)))
            found.setdefault((name, rows), []).append(path)
        return [
            _Group(name, rows, tuple(paths)) for (name, rows), paths in found.items()
        ]

    # --------------------------------------------------------------------- folding
    def fold(self, params: Any, arch: Architecture, place: Place) -> Any:
        """Mix the experts by the architecture; see `Weight.fold`.

        Raises:
          ValueError: the architecture is soft and the encoding shuffled.
        """
        axis, experts = _expert_axis(place), _leaves(params["experts"])
        if self.experts == 1:
            return _tree({p: leaf.squeeze(axis) for p, leaf in experts.items()})
        encoding = self._encode(arch)
        folded = dict.fromkeys(experts)
        for group in self._groups(params, place):
            router = params["router"]
            for name in group.name:
                router = router[name]
            mix = _route(router, encoding, place.layers)
            for path in group.members:
                folded[path] = _combine(experts[path], mix, axis)
        return _tree(folded)

    # -------------------------------------------------------------------- encoding
    def _encode(self, arch: Architecture) -> jax.Array:
        """Write down what the router sees of an architecture: `float32[F]`."""
        space = arch.space
        if self.encoding == "fixed":
            # Of the size that a one-hot row has; 0.5 in the released code.
            uniform = space.valid / space.valid.sum(1, keepdims=True)
            return jnp.asarray(uniform[space.valid], jnp.float32)
        rows = arch.weights
        if self.encoding == "shuffled":
            rows = jax.nn.one_hot(_another(arch), space.max_options, dtype=rows.dtype)
        elif arch.indices is not None:
            # Hard choices give the weight of the chosen option only a gradient.
            rows = rows * jax.nn.one_hot(
                arch.indices, space.max_options, dtype=rows.dtype
            )
        if self.encoding == "ordinal":
            return jnp.sum(rows * jnp.asarray(_values(space), rows.dtype), axis=1)
        return rows.reshape(-1)[np.flatnonzero(space.valid)]

    def _length(self, space: SearchSpace) -> int:
        """Give F, the length of the encoding."""
        if self.encoding == "ordinal":
            return space.num_decisions
        return int(space.valid.sum())

    # -------------------------------------------------------------------- activity
    def activity(
        self, params: Any, arch: Architecture, plain: Any, place: Place
    ) -> Any:
        """Use all experts as the plain tensor is used, and routers where any is.

        A router's row for an output is used where one of the tensors uses that output.
        """
        axis, used = _expert_axis(place), _leaves(plain)
        result = {
            "experts": _tree({p: jnp.expand_dims(u, axis) for p, u in used.items()})
        }
        if self.experts == 1:
            return result
        routers: dict[Path, jax.Array] = {}
        for group in self._groups(params, place):
            num = len(group.rows)
            rows = _largest([_by_row(used[path], axis, num) for path in group.members])
            some = rows.max(tuple(range(axis, axis + num)))[..., None]
            own = {
                ("hidden", "kernel"): some[..., None],
                ("hidden", "bias"): some,
                ("output", "kernel"): jnp.expand_dims(rows, axis)[..., None],
                ("output", "bias"): rows[..., None],
            }
            routers |= {(*group.name, *path): leaf for path, leaf in own.items()}
        return result | {"router": unflatten(routers)}


# ------------------------------------------------------------------------- arithmetic
def _route(router: Any, encoding: jax.Array, layers: int | None) -> jax.Array:
    """Run a router: `[*rows, E]` on the simplex, behind an axis L if stacked."""

    def run(router: Any) -> jax.Array:
        wide = at_least_float32(router["hidden"]["kernel"].dtype)
        router = jax.tree.map(lambda leaf: leaf.astype(wide), router)
        hidden = jax.nn.relu(_affine(encoding.astype(wide), router["hidden"]))
        return jax.nn.softmax(_affine(hidden, router["output"]), axis=-1)

    return run(router) if layers is None else jax.vmap(run)(router)


def _affine(x: jax.Array, layer: Mapping[str, jax.Array]) -> jax.Array:
    # Accelerators would round the operands of a product to fewer bits.
    return jnp.tensordot(x, layer["kernel"], 1, precision="highest") + layer["bias"]


def _combine(experts: jax.Array, mix: jax.Array, axis: int) -> jax.Array:
    """Sum experts by weights, in the precision of the weights.

    Args:
      experts: `[E, *inputs, *rows]`, behind an axis L if `axis` is 1.
      mix: `[*rows, E]`, likewise; rows may be left out.
      axis: of the experts.

    Returns:
      `[*inputs, *rows]`, likewise, of the experts' type.
    """
    mix = jnp.moveaxis(mix, -1, axis)
    ones = (1,) * (experts.ndim - mix.ndim)
    mix = mix.reshape(*mix.shape[: axis + 1], *ones, *mix.shape[axis + 1 :])
    return jnp.sum(mix * experts.astype(mix.dtype), axis).astype(experts.dtype)


def _by_row(used: jax.Array, axis: int, num_rows: int) -> jax.Array:
    """Take the greatest activity of each row: `[*rows]`, behind what `axis` skips."""
    return used.max(tuple(range(axis, used.ndim - num_rows)))


def _largest(arrays: Sequence[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.maximum, arrays)


# ----------------------------------------------------------------------- architectures
def _values(space: SearchSpace) -> np.ndarray:
    """Give each option's value between a decision's least, 0, and greatest, 1.

    Returns:
      `float64[D, O]`, zero on padding and for decisions without a range.
    """
    values = np.zeros(space.valid.shape)
    for row, decision in zip(values, space.decisions, strict=True):
        options = np.asarray(decision.options, np.float64)
        low, high = options.min(), options.max()
        row[: len(options)] = (options - low) / (high - low if high > low else 1)
    return values


def _another(arch: Architecture) -> jax.Array:
    """Draw a genotype that only an architecture's own genotype decides.

    Returns:
      `int32[D]`, uniform over decisions as `SearchSpace.sample` draws; by chance it may
      be its own.

    Raises:
      ValueError: the architecture is soft, and has no genotype.
    """
    if arch.indices is None:
        raise ValueError(
            "mixture: encoding is 'shuffled', and the architecture is soft. The "
            "encoding of another architecture is defined for discrete ones only; use "
            "'fixed' as a control of relaxed training."
        )
    # A permutation of options would be no control: a router could learn to undo it.
    factors = np.random.default_rng(0).integers(
        1 << 32, size=arch.space.num_decisions, dtype=np.uint32
    )
    word = jnp.sum(
        (arch.indices.astype(jnp.uint32) + 1) * (factors | 1), dtype=jnp.uint32
    )
    key = jax.random.fold_in(jax.random.key(0), word)
    return arch.space.sample(key, 1)[0]


# ------------------------------------------------------------------------------- trees
def _expert_axis(place: Place) -> int:
    return 0 if place.layers is None else 1


def _leaves(tree: Any) -> dict[Path, Any]:
    """List leaves by path; a tensor that stands alone has the empty path."""
    return flatten(tree) if isinstance(tree, Mapping) else {(): tree}


def _tree(leaves: Mapping[Path, Any]) -> Any:
    return leaves[()] if () in leaves else unflatten(leaves)

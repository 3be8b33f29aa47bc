"""How the axes of a shared tensor depend on decisions, as static data.

A layer declares, for each axis of each of its tensors, which entries belong to which
option. From that one declaration follow the mask of the forward pass, the activity, the
extraction and the parameter count, so that they cannot disagree.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces import Choice, joint, prefix


@dataclasses.dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a tensor whose active entries follow decisions.

    Attributes:
      names: the decisions, in order, as the layer calls them.
      num_options: how many options each of them has.
      member: `bool[K, n]`: which of n entries option k has; K is the product of
        `num_options`, row-major.
    """

    names: tuple[str, ...]
    num_options: tuple[int, ...]
    member: np.ndarray

    @classmethod
    def prefix(
        cls, names: Sequence[str], num_options: Sequence[int], sizes: Sequence[int]
    ) -> "Axis":
        """Make an axis of which option k uses the first `sizes[k]` entries."""
        return cls(tuple(names), tuple(num_options), prefix(sizes, max(sizes)))

    @classmethod
    def centre(
        cls, names: Sequence[str], num_options: Sequence[int], sizes: Sequence[int]
    ) -> "Axis":
        """Make an axis of which option k uses the `sizes[k]` entries in its middle.

        Either side of a convolution's kernel is one. On both sides together, the mask
        has a ring for each size: a tap counts by the weights of the kernels that
        cover it (Cai et al. 2020, arXiv 1908.09791).

        Args:
          names: the decisions.
          num_options: of each.
          sizes: of the options; odd, so that they have a centre in common.

        Raises:
          ValueError: a size is even, or less than 1.
        """
        wrong = [size for size in sizes if size < 1 or size % 2 == 0]
        if wrong:
            raise ValueError(
                f"Axis.centre: sizes {wrong} of {tuple(sizes)} for {', '.join(names)} "
                "are not odd numbers of at least 1."
            )
        offset = np.abs(np.arange(max(sizes)) - max(sizes) // 2)
        member = offset[None] <= np.asarray(sizes)[:, None] // 2
        return cls(tuple(names), tuple(num_options), member)

    @property
    def size(self) -> int:
        """The length of the axis in the shared tensor."""
        return self.member.shape[1]

    def expand(self, names: Sequence[str], num_options: Sequence[int]) -> np.ndarray:
        """Repeat the member for options of decisions that it does not depend on.

        Args:
          names: decisions, its own among them.
          num_options: of each.

        Returns:
          `bool[prod(num_options), n]`.
        """
        ordered = [name for name in names if name in self.names]
        own = self.member.reshape(*self.num_options, self.size)
        own = own.transpose([self.names.index(n) for n in ordered] + [own.ndim - 1])
        shape = [
            count if name in self.names else 1
            for name, count in zip(names, num_options, strict=True)
        ]
        full = np.broadcast_to(
            own.reshape(*shape, self.size), (*num_options, self.size)
        )
        return full.reshape(-1, self.size)

    def _key(self) -> tuple[object, ...]:
        return self.names, self.num_options, self.member.shape, self.member.tobytes()

    def __eq__(self, other: object) -> bool:
        """Compare by value, so that an axis may be static metadata of a module."""
        return isinstance(other, Axis) and self._key() == other._key()

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self._key())


Axes = tuple[Axis | None, ...]
Width = int | Axis


def width_of(width: Width) -> tuple[int, Axis | None]:
    """Split a width into its full size and how it varies."""
    return (width.size, width) if isinstance(width, Axis) else (width, None)


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a shared tensor declares about itself.

    Attributes:
      axes: for each axis how it depends on decisions; None: every entry, always.
      positions: at how many places of one example each entry is multiplied (tokens,
        output pixels), which makes its MACs; 0 for what is only added or scaled.
      outputs: how many of the last axes tell outputs apart; an entry of these is an
        output's own part of the tensor.
    """

    axes: Axes
    positions: int = 0
    outputs: int = 1


def union(axes: Sequence[Axis | None]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """List the decisions of several axes, each once, with their numbers of options."""
    found: dict[str, int] = {}
    for axis in axes:
        if axis is not None:
            found.update(zip(axis.names, axis.num_options, strict=True))
    return tuple(found), tuple(found.values())


def mask_of(
    axes: Sequence[Axis | None], choices: Mapping[str, Choice]
) -> jax.Array | None:
    """Make the mask of a tensor under the choices of its decisions.

    Args:
      axes: for each axis of the tensor, how it depends on decisions, or None.
      choices: by the names that the axes use.

    Returns:
      `float32`, broadcastable to the tensor, in [0, 1]; None if nothing varies.
    """
    names, num_options = union(axes)
    if not names:
        return None
    choice = joint(*(choices[name] for name in names))
    members = [a.expand(names, num_options) for a in axes if a is not None]
    mask = choice.mask(*members)
    return mask.reshape([1 if axis is None else axis.size for axis in axes])


def masked(
    tensor: jax.Array,
    axes: Sequence[Axis | None],
    choices: Mapping[str, Choice],
) -> jax.Array:
    """Give the part of a shared tensor that an architecture uses, zeros elsewhere."""
    mask = mask_of(axes, choices)
    return tensor if mask is None else tensor * mask.astype(tensor.dtype)


def active_counts(
    axes: Sequence[Axis | None],
    shape: Sequence[int],
    names: Sequence[str],
    num_options: Sequence[int],
) -> np.ndarray:
    """Count the entries of a tensor that each combination of options uses.

    Args:
      axes: of the tensor.
      shape: of the shared tensor.
      names: decisions that include those of the axes.
      num_options: of each.

    Returns:
      `int64[prod(num_options)]`.
    """
    counts = np.ones(math.prod(num_options), np.int64)
    for axis, length in zip(axes, shape, strict=True):
        if axis is None:
            counts *= length
        else:
            counts *= axis.expand(names, num_options).sum(1).astype(np.int64)
    return counts


def active_rows(axis: Axis, taken: Mapping[str, int]) -> np.ndarray:
    """List the entries of an axis that a discrete architecture uses.

    Args:
      axis: the axis.
      taken: the option index of each decision, by the names that the axis uses.

    Returns:
      `int64[n]`, ascending.
    """
    k = np.ravel_multi_index([taken[n] for n in axis.names], axis.num_options)
    return np.flatnonzero(axis.member[k])


def broadcast_to_rank(values: jax.Array, rank: int) -> jax.Array:
    """Append axes of length 1 until an array has a rank."""
    return jnp.reshape(values, values.shape + (1,) * (rank - values.ndim))

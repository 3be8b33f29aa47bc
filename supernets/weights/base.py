"""Kinds of weight: how a shared tensor is made for an architecture, before masks.

A plain weight is its tensor. Another kind keeps other parameters in its place, such as
several experts and a router (Jawahar et al., "Mixture-of-Supernets", Findings of ACL
2024, arXiv 2306.04845), and folds them into a plain tensor for each architecture. The
fold happens once, in front of the supernet, so that layers, masks, extraction and cost
never learn of it, and an exported subnet is a plain one.
"""

import abc
import dataclasses
from typing import Any

import jax

from search_spaces import Architecture, SearchSpace


@dataclasses.dataclass(frozen=True)
class Place:
    """What a supernet says of the tensors that a kind of weight takes the place of.

    Attributes:
      layers: L, if the tensors have a leading axis of L stacked layers.
      outputs: a tree like the tensors: how many of the last axes of each are outputs,
        such as the heads and their entries of a query's kernel, `[n, H, h]`.
    """

    layers: int | None
    outputs: Any


class Weight(abc.ABC):
    """A kind of weight, in place of a tensor or of a group of them. Frozen."""

    def check(self, space: SearchSpace) -> None:
        """Refuse a space that this kind cannot be used with.

        Raises:
          ValueError: with what the space would have to have.
        """
        del space

    @abc.abstractmethod
    def init(self, key: jax.Array, space: SearchSpace, plain: Any, place: Place) -> Any:
        """Make the parameters that take the place of plain ones.

        Args:
          key: a JAX random key.
          space: of the architectures to come.
          plain: a tensor, or a nested dictionary of them, as the supernet drew it.
          place: what is known of the tensors.

        Returns:
          A nested dictionary of arrays. Where layers are stacked, each has their axis
          in front.
        """

    @abc.abstractmethod
    def fold(self, params: Any, arch: Architecture, place: Place) -> Any:
        """Make plain tensors for an architecture, differentiably.

        Args:
          params: what `init` made.
          arch: hard or soft.
          place: as for `init`.

        Returns:
          A tree like `plain`.
        """

    @abc.abstractmethod
    def activity(
        self, params: Any, arch: Architecture, plain: Any, place: Place
    ) -> Any:
        """Say how much of the parameters an architecture uses.

        Args:
          params: what `init` made; only shapes matter.
          arch: hard or soft.
          plain: the activity of the plain tensors, broadcastable to them.
          place: as for `init`.

        Returns:
          A tree like `params`, broadcastable to it.
        """


Rules = tuple[tuple[str, Weight], ...]

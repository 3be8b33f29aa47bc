"""A kind of weight of one's own: two experts, mixed by what the architecture is.

Every 3x3 convolution keeps two tensors; a router that sees only the architecture mixes
them, once, in front of the supernet (after Jawahar et al. 2024, arXiv 2306.04845).

    nas run experiments/extend/weight.py
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from nas import Experiment, Training
from nas.data import Digits
from nas.search import RandomSearch, Search
from search_spaces import Architecture, SearchSpace
from supernets import NASBench201Supernet
from supernets.weights import Place, Weight, WeightedSupernet


@dataclasses.dataclass(frozen=True)
class TwoExperts(Weight):
    """Two tensors in place of one, mixed by a linear router."""

    jitter: float = 0.1
    """By how much the second expert starts apart: equal ones would never separate."""

    def init(self, key: jax.Array, space: SearchSpace, plain: Any, place: Place) -> Any:
        """Keep the plain tensor and a copy of it beside, a little apart."""
        leaves, treedef = jax.tree.flatten(plain)
        keys = jax.random.split(key, len(leaves) + 1)
        apart = [
            leaf * (1 + self.jitter * jax.random.normal(k, leaf.shape))
            for leaf, k in zip(leaves, keys, strict=False)
        ]
        experts = jax.tree.map(
            lambda a, b: jnp.stack([a, b]), plain, jax.tree.unflatten(treedef, apart)
        )
        router = jax.random.normal(keys[-1], (*space.valid.shape, 2))
        return {"experts": experts, "router": router}

    def fold(self, params: Any, arch: Architecture, place: Place) -> Any:
        """Mix the experts by the architecture."""
        scores = jnp.einsum("do,dok->k", arch.weights, params["router"])
        mix = jax.nn.softmax(scores)
        return jax.tree.map(
            lambda leaf: jnp.tensordot(mix.astype(leaf.dtype), leaf, 1),
            params["experts"],
        )

    def activity(
        self, params: Any, arch: Architecture, plain: Any, place: Place
    ) -> Any:
        """Use both experts where the plain tensor is used, and the router always."""
        return {
            "experts": jax.tree.map(lambda used: used[None], plain),
            "router": jnp.ones((1, 1, 1)),
        }


experiment = Experiment(
    name="extend_weight",
    supernet=WeightedSupernet(
        NASBench201Supernet(channels=4, cells=1),
        ((r"stage_\d/edges/\d/operations/3/convolution", TwoExperts()),),
    ),
    data=Digits(),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(RandomSearch(population=8), evaluations=24),
)

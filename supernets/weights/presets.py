"""Kinds of weight as they were published."""

from supernets.base import Supernet
from supernets.weights.mixture import Mixture
from supernets.weights.weighted import WeightedSupernet


def published(
    supernet: Supernet,
    *,
    experts: int = 2,
    granularity: str = "layer",
    encoding: str = "ordinal",
    path: str = "blocks/mlp",
) -> WeightedSupernet:
    """Make mixtures in the feed-forward layers alone, the published setting.

    Jawahar et al., "Mixture-of-Supernets", Findings of ACL 2024, arXiv 2306.04845.
    Each layer has one router; by neuron, one for each of its two linear maps. A router
    has 128 hidden units and sees the whole architecture as normalised sizes. The
    released code starts experts identical (masked language models) or independent
    (translation); ours start between the two, see `Mixture.jitter`.

    Args:
      supernet: whose stacked blocks have a feed-forward part.
      experts: 2 or 6 in the publication.
      granularity: layer or neuron.
      encoding: as in `Mixture`.
      path: of the feed-forward part.

    Returns:
      The supernet with these weights.
    """
    kind = Mixture(experts, granularity, hidden=128, encoding=encoding)
    return WeightedSupernet(supernet, ((path, kind),))

"""How PA&DA draws paths and data: as released, and as we would.

Lu et al., "PA&DA: Jointly Sampling PAth and DAta for Consistent NAS", CVPR 2023, arXiv
2302.14772, and its released code for NAS-Bench-201: 250 epochs, and in epoch e the
share e / 250 of both importances. One distribution over operations is shared by all
edges; an operation's importance is a running mean that halves at each step and begins
anew at each epoch; examples are drawn with replacement; nothing is re-weighted.

Where `published` departs from the code: an operation's norm on an edge is the root of
the sum over cells of squared norms, before clipping, where the code adds the norms of
each kernel and bias, after clipping; the first norm of an epoch counts whole, where the
code starts from zero, which the next few steps forget.
"""

from nas.data_samplers import DataSampler, ImportanceData
from nas.samplers import ImportancePaths
from nas.strategies import Paths, Strategy


def published(steps_per_epoch: int) -> tuple[Strategy, DataSampler]:
    """Draw as the released code does.

    Args:
      steps_per_epoch: examples to train on divided by the batch size, rounded down.

    Returns:
      The strategy, and the data sampler for `Training`.
    """
    sampler = ImportancePaths(
        most=1.0,
        scope="global",
        decay=0.5,
        steps_per_epoch=steps_per_epoch,
        floor=0.0,
        parameter_free="zero",
    )
    data = ImportanceData(
        most=1.0, draws="replacement", unvisited="zero", running="pairwise"
    )
    return Paths(sampler), data


def ours() -> tuple[Strategy, DataSampler]:
    """Draw by the same importances without what makes paths and data collapse.

    Each decision has its own distribution, no option and no example dies out, and both
    are drawn as evenly as their probabilities let them.

    Returns:
      The strategy, and the data sampler for `Training`.
    """
    return Paths(ImportancePaths()), ImportanceData()


def prior_only(steps_per_epoch: int) -> Strategy:
    """Make the control of `published`: its schedule of paths, without any gradient.

    Args:
      steps_per_epoch: as of `published`.

    Returns:
      The strategy, which draws operations without weights ever less.
    """
    sampler = ImportancePaths(
        most=1.0,
        scope="global",
        steps_per_epoch=steps_per_epoch,
        floor=0.0,
        importance="none",
    )
    return Paths(sampler)

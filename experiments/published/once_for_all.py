"""How once-for-all networks are trained, as a strategy for mobile networks.

Cai, Gan, Wang, Zhang and Han, "Once-for-All: Train One Network and Specialize it for
Efficient Deployment", ICLR 2020, arXiv 1908.09791, and its released code: the largest
network first, then kernels open, then depths, then expansion ratios, the latter two in
two phases each. Phases have the published shares of all epochs.

Where ours departs: the teacher is the largest network of the same weights, which is
trained on in each step, where theirs is a copy that was trained before and stays; a
step trains the same number of subnets in all phases, where theirs trains 1, 2 and 4;
the learning rate runs once over the whole training, not anew in each phase; channels
are not sorted by their norm before ratios open; the resolution of images is fixed.
Widths, which the published space does not vary, open with the ratios.
"""

from nas.losses import CrossEntropy, KLDivergence
from nas.samplers import Progressive, Sandwich, Stage
from nas.strategies import Paths

# Epochs: of the largest alone, and of each phase.
LARGEST, KERNEL, DEPTH, EXPAND = 180, 120, (25, 120), (25, 120)


def stages(alone: int = LARGEST) -> tuple[Stage, ...]:
    """Make the stages for the decisions of `search_spaces.mobile`.

    Args:
      alone: epochs of the largest network before anything opens.
    """
    depth, expand = "depth_.*", "(expand|width)_.*"
    phases = (
        ("kernel_.*", 0, KERNEL),
        (depth, 2, DEPTH[0]),
        (depth, 0, DEPTH[1]),
        (expand, 2, EXPAND[0]),
        (expand, 0, EXPAND[1]),
    )
    epochs = [alone, *(length for _, _, length in phases)]
    return tuple(
        Stage(names, sum(epochs[: i + 1]) / sum(epochs), options)
        for i, (names, options, _) in enumerate(phases)
    )


def once_for_all(subnets: int = 2, alone: int = LARGEST) -> Paths:
    """Train the largest network and some subnets a step.

    Args:
      subnets: how many.
      alone: epochs of the largest network before anything opens. Until then the subnets
        are the largest too, so that it is trained several times a step.
    """
    return Paths(
        Progressive(Sandwich(random=subnets, smallest=False), stages(alone)),
        CrossEntropy(smoothing=0.1),
        students=KLDivergence(),
        label_weight=1.0,
    )

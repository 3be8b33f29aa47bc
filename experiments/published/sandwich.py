"""How two published single-stage supernets are trained, as strategies.

Yu et al., "BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage Models",
ECCV 2020, arXiv 2003.11142; Wang et al., "AlphaNet: Improved Training of Supernets with
Alpha-Divergence", ICML 2021, arXiv 2102.07954, and its released code. Both train the
largest network by the labels, and the smallest and two random ones by the largest.

Where ours departs: there is no dropout and no stochastic depth; residual branches start
as their networks start them; images have one resolution.
"""

from nas.losses import AlphaDivergence, CrossEntropy, KLDivergence
from nas.samplers import Sandwich
from nas.strategies import Paths


def big_nas() -> Paths:
    """Distil by KL; only the largest is regularised.

    To go with an optimizer whose weight_decay is 0.
    """
    return Paths(
        Sandwich(random=2),
        CrossEntropy(smoothing=0.1),
        students=KLDivergence(),
        regularize=1e-5,
    )


def alpha_net() -> Paths:
    """Distil by the adaptive alpha-divergence, clipped at 5.

    To go with an optimizer whose weight_decay is 1e-5, as published.
    """
    return Paths(
        Sandwich(random=2),
        CrossEntropy(smoothing=0.1),
        students=AlphaDivergence(alpha_min=-1.0, alpha_max=1.0, clip=5.0),
    )

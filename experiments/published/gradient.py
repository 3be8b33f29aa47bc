"""How three gradient methods train on NAS-Bench-201's cells, as strategies.

DARTS (Liu et al. 2019, arXiv 1806.09055), DrNAS (Chen et al. 2021, arXiv 2006.10355)
and GDAS (Dong and Yang 2019, arXiv 1910.04465), with the settings of their released
code for this space: the half of the training data that is not for the weights is for
the alphas, in batches of 64; alphas by Adam, weights by SGD with momentum 0.9, a cosine
from 0.025 to 0.001 and gradients clipped at norm 5.

Where ours departs: how much of the data is for the weights is our splits' affair; the
step ahead of second-order DARTS is clipped like any other; DrNAS is the one without
its second stage, which prunes options and widens the network.
"""

from nas.relaxations import AlphaOptimizer, Dirichlet, GumbelSoftmax, Softmax
from nas.strategies import Alternating
from nas.training.optimizer import SGD

# Of all three, but for where the flat distribution is the anchor.
ALPHAS = AlphaOptimizer(learning_rate=3e-4, beta_1=0.5, beta_2=0.999, weight_decay=1e-3)
BATCH_SIZE = 64
# How long each trains.
EPOCHS = {"darts": 50, "drnas": 100, "gdas": 250}


def darts(order: int = 1) -> Alternating:
    """Mix all operations; of second order, by differences of gradients.

    Args:
      order: 1 or 2.
    """
    return Alternating(Softmax(), alphas=ALPHAS, order=order)


def drnas(anchored: bool = False) -> Alternating:
    """Draw mixtures from Dirichlet distributions.

    Args:
      anchored: whether alphas are held by the divergence from the flat distribution,
        as in the paper, not by their decay, as the released code does by default.
    """
    if not anchored:
        return Alternating(Dirichlet(), alphas=ALPHAS)
    free = AlphaOptimizer(learning_rate=3e-4, weight_decay=0.0)
    return Alternating(Dirichlet(anchor=1e-3), alphas=free)


def gdas() -> Alternating:
    """Draw one operation an edge, at a temperature that falls from 10 to 0.1."""
    return Alternating(GumbelSoftmax(hottest=10.0, coldest=0.1), alphas=ALPHAS)


def weights(method: str) -> SGD:
    """Give the optimiser of the weights.

    Args:
      method: `darts`, `drnas` or `gdas`.
    """
    alone = method == "gdas"
    return SGD(
        learning_rate=0.025,
        weight_decay=5e-4 if alone else 3e-4,
        final_fraction=0.001 / 0.025,
        clip_norm=5.0,
        inactive="decay_and_momentum",
        momentum=0.9,
        nesterov=alone,
    )

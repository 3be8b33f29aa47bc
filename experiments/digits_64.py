"""The 64 children of a two-node cell, on 8x8 digits.

Question: how far can one trust what shared weights say of networks, when the space is
so small that every member can be trained alone, several times?

Source: Zhang et al., "Deeper Insights into Weight Sharing in Neural Architecture
Search" (2020, arXiv 2001.01431): four stacked cells, three edges with four operations
each, one child drawn uniformly for each batch, SGD with momentum 0.9, weight decay
1e-3, a cosine from 0.025 to 0.001 and nothing clipped. It is a reduced analogue: digits
for CIFAR-10, 8 channels for 16, batches of 64 for 256, a hundredth of the images seen.
As there, no cell reduces the image. Where the paper and its code differ, and what is
else otherwise, `supernets/two_node_cell.py` says. The search visits all 64.

Truth: each child trained alone, error and negative log-likelihood on 357 images that
nothing else sees; for 300 steps of 32 images, from a learning rate of 0.1, since four
children were left with errors of 11 to 31 % by so few steps from 0.025, and of 5 to
12 % from 0.1. Command: nas truth digits_64 (10 seeds, 25 minutes of one core). Children
differ by little: two seeds agree at a tau of 0.19, the means of five seeds and of the
other five at 0.49. What the paper measures is in `experiments.studies.deeper_insights`.

Command: nas run digits_64, and nas rank digits_64

Expected time: some minutes on 2 CPU cores; `nas profile digits_64` measures a step.
"""

from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.ranking import PackagedTruth
from nas.search import NSGA2, Search
from nas.settings import Ranking, Truth
from nas.training.optimizer import SGD
from supernets import TwoNodeCellSupernet

experiment = Experiment(
    name="digits_64",
    supernet=TwoNodeCellSupernet(channels=8, cells=4),
    data=Digits(),
    optimizer=SGD(
        learning_rate=0.025, final_fraction=0.04, weight_decay=1e-3, clip_norm=0.0
    ),
    training=Training(
        steps=4000,
        batch_size=64,
        augment=Augment(crop_padding=1),
        log_every=50,
        checkpoint_every=1000,
    ),
    search=Search(NSGA2(population=16), objectives=("nll", "macs"), evaluations=64),
    export=Export(most=5),
    ranking=Ranking(truth=PackagedTruth("experiments", "digits_64")),
    truth=Truth(steps=300, batch_size=32, seeds=10, learning_rate=0.1),
)

"""Cells of NAS-Bench-201 on 8x8 digits, paths and data drawn by importance.

Question: does drawing options and examples by the gradients that they last gave make a
better supernet than drawing them uniformly, in as many steps?

Source: Lu et al., "PA&DA: Jointly Sampling PAth and DAta for Consistent NAS" (CVPR
2023, arXiv 2302.14772), with a floor under every option and the importance of examples
kept between epochs; the released rules are `experiments.published.panda.published`.
Cells, data and training are those of `digits_cells`.

Command: nas run digits_panda

Expected time: that of `digits_cells`; the scores cost no further pass.

See sampler_health in the log: the least probability of an option, and the share of the
examples that an epoch draws at all. The control without importance is `digits_cells`;
that without gradients: add --strategy.sampler.importance none.
"""

from experiments.published.panda import ours
from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from supernets import NASBench201Supernet

strategy, data_sampler = ours()

experiment = Experiment(
    name="digits_panda",
    supernet=NASBench201Supernet(channels=8, cells=1),
    data=Digits(),
    strategy=strategy,
    optimizer=SGD(learning_rate=0.1, weight_decay=5e-4),
    training=Training(
        steps=4000,
        batch_size=64,
        augment=Augment(crop_padding=1),
        data_sampler=data_sampler,
        log_every=50,
        checkpoint_every=1000,
    ),
    search=Search(NSGA2(population=30), objectives=("nll", "macs"), evaluations=300),
    export=Export(most=5),
)

"""NAS-Bench-201 on CIFAR-10, trained as PA&DA trains its supernets: for rankings.

Question: how well does one supernet rank cells whose accuracy after 200 epochs of
training alone others have published?

Source: the network and its truth are those of Dong and Yang, "NAS-Bench-201" (ICLR
2020, arXiv 2001.00326). Training is that of Lu et al., "PA&DA: Jointly Sampling PAth
and DAta for Consistent NAS" (CVPR 2023, arXiv 2302.14772), as released: 250 epochs of
196 batches of 256, SGD from 0.05 by a cosine to 0, momentum 0.9, weight decay 2.5e-4,
gradients clipped to 5, crops with padding 4 and flips, norms without scale and bias.
Here one cell is drawn uniformly for each batch: the control of PA&DA. Unlike there,
part of the training images is held back as the search split, on which cells are
evaluated, so that the test images are seen by no choice; convolutions have no bias; and
weights that a batch does not use stay as they are.

Ranked are 1,000 cells, one from each of as many strata of multiply-accumulates, among
those with three published seeds, by 2,000 images of the search split.

Command: nas sweep nasbench201_cifar10 --data.root DIR --ranking.truth.root DIR
One supernet, searched: nas run nasbench201_cifar10 --data.root DIR

Expected time: `nas profile nasbench201_cifar10 --data.root DIR` measures it on the
machine at hand; it is work for a GPU. `nasbench201_cifar10_reduced` is for two cores.
"""

import dataclasses

from experiments.published import panda
from experiments.published.nasbench201_table import NASBench201Table
from nas import Experiment, Training
from nas.data import Augment, Cifar10
from nas.search import NSGA2, Search
from nas.settings import Ranking
from nas.training.optimizer import SGD
from predictors.mlp_ensemble import MLPEnsemble
from predictors.random_forest import RandomForest
from predictors.ridge_regression import Ridge
from predictors.zero_cost.synflow import SynFlow
from supernets import NASBench201Supernet

STEPS_PER_EPOCH = 196
# Round numbers that were chosen on this very table: a baseline in its own favour.
PUBLISHED_FORMULA = (
    ("nor_conv_3x3", 1.5),
    ("nor_conv_1x1", 1.0),
    ("avg_pool_3x3", -0.5),
)

experiment = Experiment(
    name="nasbench201_cifar10",
    supernet=NASBench201Supernet(channels=16, cells=5, affine=False),
    data=Cifar10(),
    optimizer=SGD(learning_rate=0.05, weight_decay=2.5e-4, clip_norm=5.0),
    training=Training(
        steps=250 * STEPS_PER_EPOCH,
        batch_size=256,
        augment=Augment(crop_padding=4, flip=True),
        log_every=STEPS_PER_EPOCH,
        checkpoint_every=10 * STEPS_PER_EPOCH,
    ),
    search=Search(NSGA2(), objectives=("nll", "macs"), evaluations=1000),
    ranking=Ranking(
        truth=NASBench201Table(),
        formula=PUBLISHED_FORMULA,
        learned=(Ridge(), RandomForest(), MLPEnsemble()),
        proxies=(SynFlow(),),
        architectures=1000,
        examples=2000,
    ),
)


def variants_of(base: Experiment, steps_per_epoch: int) -> dict[str, Experiment]:
    """Make uniform sampling, PA&DA as released and as we would, and its control.

    `schedule` has the released schedule, by which operations without weights are drawn
    ever less, and no gradient.

    Args:
      base: the experiment.
      steps_per_epoch: of its data and batches.

    Returns:
      Experiments by name; all train one cell a step.
    """
    found = {"uniform": base}
    for name, (strategy, data_sampler) in (
        ("panda_published", panda.published(steps_per_epoch)),
        ("panda", panda.ours()),
    ):
        training = dataclasses.replace(base.training, data_sampler=data_sampler)
        found[name] = dataclasses.replace(base, strategy=strategy, training=training)
    schedule = panda.prior_only(steps_per_epoch)
    return found | {"schedule": dataclasses.replace(base, strategy=schedule)}


variants = variants_of(experiment, 40_000 // 256)

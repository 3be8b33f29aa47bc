"""Cells of NAS-Bench-201 on 8x8 digits, split in four by gradient matching.

Question: which operations disagree about the shared weights, and what front do four
sub-supernets give whose operations agree?

Source: Hu et al., "Generalizing Few-Shot NAS with Gradient Matching" (ICLR 2022, arXiv
2203.15207): two splits in two, by the edge whose groups differ most; here the parts
inherit their weights, paths are drawn one at a time, and measuring stops when resampled
batches agree about the split. Cells, data and training are those of `digits_cells`.

Command: nas run digits_few_shot

See what was split, and by what distances, in partition.json and report.html. The
control with random groups: add --partition.decision random --partition.cut random.
"""

from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.partition import FewShot, GradientMatching
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from supernets import NASBench201Supernet

experiment = Experiment(
    name="digits_few_shot",
    supernet=NASBench201Supernet(channels=8, cells=1),
    data=Digits(),
    optimizer=SGD(learning_rate=0.1, weight_decay=5e-4),
    partition=FewShot(
        at=(1000, 1500),
        score=GradientMatching(repeats=40, min_repeats=10),
    ),
    training=Training(
        steps=2500,
        batch_size=64,
        augment=Augment(crop_padding=1),
        log_every=50,
        checkpoint_every=500,
    ),
    search=Search(NSGA2(population=30), objectives=("nll", "macs"), evaluations=300),
    export=Export(most=5),
)

"""Cells of NAS-Bench-201 on 8x8 digits, split in four by gradient matching.

Question: which operations disagree about the shared weights, and what front do four
sub-supernets give whose operations agree?

Source: Hu et al., "Generalizing Few-Shot NAS with Gradient Matching" (ICLR 2022, arXiv
2203.15207): two splits in two, by the edge whose groups differ most; here the parts
inherit their weights, paths are drawn one at a time, and measuring stops when resampled
batches agree about the split. Cells, data and training are those of `digits_cells`.

Command: nas run digits_few_shot

Expected time: 4 to 5 minutes on 2 CPU cores, compiling included: the step is compiled
for one, two and four sub-supernets, and 1,810 of the gradients are for measuring.

Result (2 cores of an AMD EPYC, busy with other work, JAX 0.10.2, 2026-11-21): 7 min
0 s, of which 6 min 16 s of processor time. The first split was the edge from the input
to the output: nothing and pooling | skip and both convolutions, the same in 93 % of
resampled batches after 12 of them; then one edge of each half, the second of them
without a clear order after all 40 batches (54 %). Three members, 120 to 144 thousand
multiply-accumulates, errors of 1.7 % to 2.2 % on 357 images of the report split: no
better than the one supernet of `digits_cells`, whose intervals overlap with these.

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

"""NAS-Bench-201 on CIFAR-10 at half resolution: the reduced protocol, for two cores.

Question: does a supernet that two cores can train rank cells as their published
accuracies do?

Source: `nasbench201_cifar10`, with images of 16x16 pixels, each the mean of 2x2, 8
channels in place of 16, one cell a stage in place of five, and 4,000 batches of 64 in
place of 49,000 of 256. What it ranks is held against the published accuracies of other
networks: the same cells at full size. A ranking of it is no replication, and is to be
called reduced wherever it is shown.

Command: nas sweep nasbench201_cifar10_reduced --data.source.root DIR
--ranking.truth.root DIR
One supernet, searched: nas run nasbench201_cifar10_reduced --data.source.root DIR

Expected time: 10 minutes of a core for each run, half of it ranking.

Result of 1 seed (2026-11-21, 2 CPU cores), tau on 1,000 cells: uniform -0.13 (-0.18 to
-0.08), PA&DA as published 0.40 (0.37 to 0.43), its schedule without gradients 0.35
(0.32 to 0.39), PA&DA ours -0.10; intervals over cells, not over seeds. What trains
nothing: parameters 0.60, live parameters 0.68, the fixed formula 0.70 (chosen on this
table). After so few steps large cells are trained least, and uniform sampling ranks
them last; drawing them more often turns that round, with gradients or without.
Estimates of each cell are in experiments/results/nasbench201_cifar10_reduced.
"""

import dataclasses

from experiments import nasbench201_cifar10
from nas import Training
from nas.data import Augment, Reduced
from supernets import NASBench201Supernet

full = nasbench201_cifar10.experiment

experiment = dataclasses.replace(
    full,
    name="nasbench201_cifar10_reduced",
    supernet=NASBench201Supernet(channels=8, cells=1, affine=False),
    data=Reduced(full.data, block=2),
    training=Training(
        steps=4000,
        batch_size=64,
        augment=Augment(crop_padding=2, flip=True),
        log_every=50,
        checkpoint_every=500,
    ),
)
variants = nasbench201_cifar10.variants_of(experiment, 40_000 // 64)

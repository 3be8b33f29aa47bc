"""NAS-Bench-201 on CIFAR-10 at the benchmark's size: 16 channels, 5 cells a stage.

Question: how good is the front that shared weights give on a space whose every member
was trained alone by others?

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search" (ICLR 2020, arXiv 2001.00326), for the skeleton, SGD with Nesterov
momentum 0.9, weight decay 5e-4, cosine from 0.1 to 0, crops with padding 4 and flips.
Single-path training draws one cell a step, where the benchmark trains each alone.

Command: nas run cifar10_cells --data.root DIR

Expected time: `nas profile cifar10_cells --data.root DIR` measures it on the machine at
hand; it is work for a GPU. On a laptop: add --supernet.channels 8 --supernet.cells 1
--training.steps 2000.
"""

from nas import Experiment, Training
from nas.data import Augment, Cifar10
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from supernets import NASBench201Supernet

experiment = Experiment(
    name="cifar10_cells",
    supernet=NASBench201Supernet(channels=16, cells=5),
    data=Cifar10(),
    optimizer=SGD(learning_rate=0.1, weight_decay=5e-4, momentum=0.9, nesterov=True),
    training=Training(
        steps=100_000,
        batch_size=128,
        augment=Augment(crop_padding=4, flip=True),
        log_every=100,
        checkpoint_every=2000,
    ),
    search=Search(NSGA2(), objectives=("nll", "macs"), evaluations=1000),
)

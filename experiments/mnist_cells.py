"""Cells of NAS-Bench-201 on MNIST: small images from files, a few classes.

Question: does the front of `digits_cells` look alike on forty times as many images,
and which of its operations disappear?

Source: as in `digits_cells`; the data are LeCun et al., "Gradient-based learning
applied to document recognition", Proceedings of the IEEE 86(11), 1998. The four usual
files must be there; nothing is downloaded.

Command: nas run mnist_cells --data.root DIR

Expected time: `nas profile mnist_cells --data.root DIR` measures it on the machine at
hand.
"""

from nas import Experiment, Training
from nas.data import Augment, Mnist
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from supernets import NASBench201Supernet

experiment = Experiment(
    name="mnist_cells",
    supernet=NASBench201Supernet(channels=8, cells=1),
    data=Mnist(),
    optimizer=SGD(learning_rate=0.05, weight_decay=5e-4),
    training=Training(
        steps=5000,
        batch_size=128,
        augment=Augment(crop_padding=2),
        checkpoint_every=1000,
    ),
    search=Search(NSGA2(), objectives=("nll", "macs"), evaluations=500),
)

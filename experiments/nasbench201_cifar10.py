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

Command: nas train nasbench201_cifar10 --data.root DIR

Expected time: `nas profile nasbench201_cifar10 --data.root DIR` measures it on the
machine at hand; it is work for a GPU. `nasbench201_cifar10_reduced` is for two cores.
"""

from nas import Experiment, Training
from nas.data import Augment, Cifar10
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from supernets import NASBench201Supernet

STEPS_PER_EPOCH = 196

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
)

"""Mobile convolutional networks on MNIST: the decisions of `digits_mobile` on 28x28.

Question: does the front of `digits_mobile` look alike on forty times as many images of
twelve times as many pixels, and are larger kernels worth their cost there?

Source: as in `digits_mobile`; the data are LeCun et al., "Gradient-based learning
applied to document recognition", Proceedings of the IEEE 86(11), 1998. The four usual
files must be there; nothing is downloaded.

Command: nas run mnist_mobile --data.root DIR

Expected time: not measured; it is work for a GPU. `nas profile mnist_mobile --data.root
DIR` measures it on the machine at hand.
"""

from nas import Experiment, Training
from nas.data import Augment, Mnist
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from supernets import MobileSupernet

experiment = Experiment(
    name="mnist_mobile",
    supernet=MobileSupernet(stem_stride=2),
    data=Mnist(),
    optimizer=SGD(learning_rate=0.05, weight_decay=5e-4),
    training=Training(
        steps=8000,
        batch_size=128,
        augment=Augment(crop_padding=2),
        checkpoint_every=1000,
    ),
    search=Search(NSGA2(), objectives=("nll", "macs"), evaluations=500),
)

"""Mobile convolutional networks on CIFAR-10, in a small setting.

Question: where do mobile networks, searched by shared weights, stand beside the cells
of `cifar10_cells` and the transformers of `cifar10_vit` at the same
multiply-accumulates?

Source: the decisions are those of once-for-all networks (Cai et al., ICLR 2020, arXiv
1908.09791), at widths and strides for 32x32 images; their network for ImageNet is
`MobileSupernet.once_for_all()`. A network is drawn for each step, in place of
progressive shrinking and its teacher.

Command: nas run cifar10_mobile --data.root DIR

Expected time: not measured; it is work for a GPU. `nas profile cifar10_mobile
--data.root DIR` measures it on the machine at hand.
"""

from nas import Experiment, Training
from nas.data import Augment, Cifar10
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from search_spaces.mobile import MobileStage, mobile
from supernets import MobileSupernet

space = mobile(
    "mobile_32x32",
    [
        MobileStage(widths, (1, 2, 3), (3, 5), (3, 4, 6))
        for widths in ((16, 20, 24), (24, 32, 40), (48, 64, 80))
    ],
)
experiment = Experiment(
    name="cifar10_mobile",
    supernet=MobileSupernet(
        space=space, stem_width=16, final_width=240, feature_width=320
    ),
    data=Cifar10(),
    optimizer=SGD(learning_rate=0.05, weight_decay=5e-4),
    training=Training(
        steps=60_000,
        batch_size=128,
        augment=Augment(crop_padding=4, flip=True),
        log_every=100,
        checkpoint_every=2000,
    ),
    search=Search(NSGA2(), objectives=("nll", "macs"), evaluations=1000),
)

"""Mobile convolutional networks on 8x8 digits: the whole job on a laptop.

Question: how wide and how deep, with which kernels and expansion ratios, for the least
loss at a given number of multiply-accumulates, when all 599,076 networks share one set
of weights?

Source: the decisions and the way of sharing are those of once-for-all networks (Cai et
al., ICLR 2020, arXiv 1908.09791), over the blocks of MobileNetV3 (Howard et al. 2019,
arXiv 1905.02244), at sizes for images of 8 pixels. A network is drawn for each step, as
in single-path one-shot (Guo et al. 2020, arXiv 1904.00420), in place of progressive
shrinking and its teacher. The search is NSGA-II (Deb et al. 2002).

Command: nas run digits_mobile

Expected time: about 3 minutes on 2 CPU cores that have nothing else to do, compiling
included; less when run again, because compiled programs are kept.

Result (2 cores of an AMD EPYC, JAX 0.10.2, 2026-11-21): 3 min 42 s of processor time
with an empty compilation cache, in 4 min 34 s, since other work kept both cores busy
(load 4 to 6). Five members between 68 and 288 thousand multiply-accumulates, with
errors of 5.3 % to 2.5 % on 357 images of the report split, whose intervals overlap:
beyond 92 thousand the differences say little. An earlier run of 2,000 steps, with other
draws, reached 2.0 % at 158 thousand. Under onnxruntime 1.31 its five networks gave the
logits of the exported programs to 6e-7 of the largest.
"""

from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from search_spaces.mobile import MobileStage, mobile
from supernets import MobileSupernet

space = mobile(
    "mobile_8x8",
    [
        MobileStage((8, 12, 16), (1, 2, 3), (3, 5), (2, 3, 4)),
        MobileStage((16, 24, 32), (1, 2, 3), (3, 5), (2, 3, 4)),
    ],
)
experiment = Experiment(
    name="digits_mobile",
    supernet=MobileSupernet(
        space=space,
        strides=(1, 2),
        squeeze=(False, True),
        activations=("relu", "hard_swish"),
        final_width=64,
        feature_width=96,
    ),
    data=Digits(),
    optimizer=SGD(learning_rate=0.1, weight_decay=5e-4),
    training=Training(
        steps=1200,
        batch_size=64,
        augment=Augment(crop_padding=1),
        log_every=50,
        checkpoint_every=400,
    ),
    search=Search(NSGA2(population=30), objectives=("nll", "macs"), evaluations=300),
    export=Export(most=5),
)

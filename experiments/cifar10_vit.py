"""Small vision transformers on CIFAR-10, entangled as in AutoFormer.

Question: where does a transformer searched by shared weights stand beside the cells of
`cifar10_cells` at the same multiply-accumulates?

Source: Chen et al., "AutoFormer: Searching Transformers for Visual Recognition" (ICCV
2021, arXiv 2107.00651); the space is a small one for 32x32 images, in patches of 4.

Command: nas run cifar10_vit --data.root DIR

Expected time: `nas profile cifar10_vit --data.root DIR` measures it on the machine at
hand; it is work for a GPU.
"""

from nas import Experiment, Training
from nas.data import Augment, Cifar10
from nas.search import NSGA2, Search
from nas.training.optimizer import AdamW
from supernets import VisionTransformerSupernet

experiment = Experiment(
    name="cifar10_vit",
    supernet=VisionTransformerSupernet(patch_size=4),
    data=Cifar10(),
    optimizer=AdamW(learning_rate=1e-3, weight_decay=0.05, warmup_steps=2000),
    training=Training(
        steps=50_000,
        batch_size=128,
        augment=Augment(crop_padding=4, flip=True),
        log_every=100,
        checkpoint_every=2000,
    ),
    search=Search(NSGA2(), objectives=("nll", "macs"), evaluations=1000),
)

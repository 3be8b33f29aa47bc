"""Small vision transformers, entangled: for digits, or a folder of your own images.

Question: how wide, how deep, with how many heads and how large an MLP in each block,
for the least loss at a given number of multiply-accumulates?

Source: the decisions and the way of sharing are AutoFormer's (Chen et al., ICCV 2021,
arXiv 2107.00651), at sizes for images of 8 to 64 pixels: the first rows and columns of
one weight serve every width. AdamW with a warm-up, as transformers need.

Commands:
  nas run vit_tiny
  nas run vit_tiny --data ./photos      (one folder of images for each class)
  nas run vit_tiny --data ./photos --data.size 64 --training.augment.flip true

Expected time: `nas profile vit_tiny --data ./photos` measures it on the machine at
hand.
"""

from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.search import NSGA2, Search
from nas.training.optimizer import AdamW
from supernets import VisionTransformerSupernet

experiment = Experiment(
    name="vit_tiny",
    supernet=VisionTransformerSupernet(patch_size=4),
    data=Digits(),
    optimizer=AdamW(learning_rate=1e-3, weight_decay=0.05, warmup_steps=200),
    training=Training(
        steps=3000,
        batch_size=64,
        augment=Augment(crop_padding=1),
        checkpoint_every=500,
    ),
    search=Search(NSGA2(), objectives=("nll", "macs"), evaluations=500),
    export=Export(most=5),
)

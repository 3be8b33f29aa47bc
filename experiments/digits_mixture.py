"""A mixture of supernets on 8x8 digits: two experts in the feed-forward layers.

Question: which small vision transformers give the least loss for their
multiply-accumulates, when their feed-forward weights are not simply shared, but mixed
of two experts by a router that sees which architecture runs?

Source: Jawahar et al., "Mixture-of-Supernets" (Findings of ACL 2024, arXiv 2306.04845),
in its published setting: feed-forward layers only, one router a layer, 128 hidden
units, two experts. The space is that of AutoFormer (Chen et al. 2021, arXiv
2107.00651) at the size of digits. What is exported has neither router nor experts.
`supernets.weights.Mixture` has the rest: a mix for each neuron, six experts, other
tensors, and the controls; `experiments/studies/mixture_gap.py` compares them.

Command: nas run digits_mixture

Expected time: about 2 minutes on 2 CPU cores, compiling included.

Result (2 cores of an AMD EPYC, busy with other work, JAX 0.10.2, 2026-11-21): 1 min
52 s, of which 1 min 8 s of processor time. Four members between 5.5 and 103 thousand
multiply-accumulates, with errors of 15.1 % to 5.0 % on 357 images of the report split;
the intervals of the three larger ones overlap. Whether the mixture helped is a question
of the study, not of this run.
"""

from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.search import NSGA2, Search
from nas.training.optimizer import AdamW
from search_spaces.vision_transformer import vision_transformer
from supernets import VisionTransformerSupernet
from supernets.weights import published

space = vision_transformer(
    "digits_mixture", (16, 24, 32), (1, 2, 3), (1, 2, 4), (1.0, 2.0, 4.0)
)

experiment = Experiment(
    name="digits_mixture",
    supernet=published(
        VisionTransformerSupernet(space, patch_size=4, head_size=8), experts=2
    ),
    data=Digits(),
    optimizer=AdamW(learning_rate=2e-3, weight_decay=0.05, warmup_steps=200),
    training=Training(
        steps=2500,
        batch_size=64,
        augment=Augment(crop_padding=1),
        checkpoint_every=500,
    ),
    search=Search(NSGA2(population=30), objectives=("nll", "macs"), evaluations=200),
    export=Export(most=4),
)

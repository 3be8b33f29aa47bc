"""Alphas trained in turn with the weights, for four trade-offs at once, on digits.

Question: do gradients, without asking for any architecture's error, come to cells that
are worth looking at first, and do other trade-offs come to other cells?

Source: first-order DARTS (Liu et al. 2019, arXiv 1806.09055) by relaxations of DrNAS
(Chen et al. 2021, arXiv 2006.10355) on the cells of NAS-Bench-201 (Dong and Yang 2020,
arXiv 2001.00326), whose convolutions share a kernel, so that weights are superposed and
not outputs mixed (Sukthanker et al. 2024, arXiv 2312.10440). A population of alphas,
one for each preference between the loss and the expected multiply-accumulates, shares
one set of weights. Published rates of the alphas are for some ten thousand steps; this
one is larger, for hundreds.

Command: nas run digits_darts

The search first measures what the alphas have come to prefer, then what evolution makes
of it. `metrics.jsonl` has the alphas and what is derived from them through time, under
`strategy/alphas`, and whether skips take all, `sampler_health/parameterless`.

Expected time: 3 minutes of processor time, half of it compiling: a mixed cell is a
program of all its operations.

Result (2026-11-22, seed 0): no. After 600 steps the alphas are nearly as undecided as
at first (entropy 0.90 of 1), and 21 of the 24 options that they derive have no weights,
the known collapse. The four cells, from the one for the loss alone to the one for the
multiply-accumulates alone, have losses of 0.15, 0.85, 0.85 and 0.29; half of the 60
cells that were measured are below 0.23, and evolution's best has 0.09.
"""

from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.relaxations import AlphaOptimizer, Dirichlet
from nas.search import RegularizedEvolution, Search
from nas.strategies import Alternating
from nas.training.optimizer import SGD
from supernets import NASBench201Supernet

experiment = Experiment(
    name="digits_darts",
    supernet=NASBench201Supernet(channels=8, cells=1, entangled=True),
    data=Digits(),
    strategy=Alternating(
        Dirichlet(),
        alphas=AlphaOptimizer(learning_rate=0.02),
        costs=("macs",),
        preferences=4,
        warmup=0.2,
    ),
    optimizer=SGD(learning_rate=0.1, weight_decay=5e-4),
    training=Training(
        steps=600,
        batch_size=64,
        augment=Augment(crop_padding=1),
        log_every=50,
        checkpoint_every=200,
    ),
    search=Search(
        RegularizedEvolution(population=20, sample_size=5),
        objectives=("nll", "macs"),
        evaluations=60,
    ),
    export=Export(most=4),
)

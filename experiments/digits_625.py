"""625 cells on 8x8 digits: does a supernet rank them as training each alone does?

Question: how well do shared weights rank architectures, beside formulas that train
nothing?

Source: the cells are those of NAS-Bench-201 (Dong and Yang 2020, arXiv 2001.00326)
without two edges, so that three edges in a row and one past them are left. Networks
have 4 channels and one cell in each of three stages. The edges are the second choice.
With a fixed skip past all others, two seeds of the truth agree at a tau of 0.25 only,
and a supernet learns to do without what varies: all its cells lose nearly the same, and
its tau was 0.10 (-0.07 on MNIST). Of two further choices, tried on 36 cells with one
supernet on each data set or on digits alone, these edges were taken: seeds agree, and
there the supernet's tau was above the formulas', which in the other it was not. That it
beats a formula here is thus in part how the space was chosen, and alone no evidence for
weight sharing. Seeds agree at 0.58 (0.70 on `mnist_625`); 61 cells have no path and
stay at chance.

Truth: each cell trained alone for 400 steps of 32 images, 3 seeds, error and negative
log-likelihood on 357 images that nothing else sees. Command: nas truth digits_625

Command: nas train digits_625 && nas rank digits_625
(to search as well: nas run digits_625)

Expected time: about a minute on one core once programs are compiled; the truth took 25
minutes on one core (AMD EPYC, JAX 0.10.2, 2026-11-21, busy with other work).
"""

from nas import Experiment, Training
from nas.data import Augment, Digits
from nas.ranking import PackagedTruth
from nas.search import NSGA2, Search
from nas.settings import Ranking, Truth
from nas.training.optimizer import SGD
from predictors.linear_formula import FitFormula
from predictors.mlp_ensemble import MLPEnsemble
from predictors.random_forest import RandomForest
from predictors.ridge_regression import Ridge
from predictors.zero_cost.az_nas import AZNAS
from predictors.zero_cost.grad_norm import GradNorm
from predictors.zero_cost.naswot import NASWOT
from predictors.zero_cost.snip import SNIP
from predictors.zero_cost.synflow import SynFlow
from search_spaces.nasbench201 import nasbench201
from supernets import NASBench201Supernet

FIXED = {"edge_0_2": "none", "edge_1_3": "none"}

# Round numbers that fit NAS-Bench-201's own table on CIFAR-10.
PUBLISHED_FORMULA = (
    ("nor_conv_3x3", 1.5),
    ("nor_conv_1x1", 1.0),
    ("avg_pool_3x3", -0.5),
)

experiment = Experiment(
    name="digits_625",
    supernet=NASBench201Supernet(nasbench201(FIXED), channels=4, cells=1),
    data=Digits(),
    optimizer=SGD(learning_rate=0.1, weight_decay=5e-4),
    training=Training(
        steps=3000,
        batch_size=64,
        augment=Augment(crop_padding=1),
        checkpoint_every=1000,
    ),
    search=Search(NSGA2(population=30), objectives=("nll", "macs"), evaluations=300),
    truth=Truth(steps=400, batch_size=32, seeds=3),
    ranking=Ranking(
        truth=PackagedTruth("experiments", "digits_625"),
        other=PackagedTruth("experiments", "mnist_625"),
        rule=FitFormula(),
        formula=PUBLISHED_FORMULA,
        learned=(Ridge(), RandomForest(), MLPEnsemble()),
        proxies=(SynFlow(), NASWOT(), SNIP(), GradNorm(), AZNAS()),
    ),
)

"""Which plain heuristics matter for the ranking: one changed at a time.

Question: how much do batch norm's statistics and scale, the learning rate, the length
of training, weight decay, what happens to unused weights, and the average of weights
change how well a uniformly sampled supernet ranks? After Yu, Ranftl and Salzmann, "How
to Train Your Super-Net" (2020, arXiv 2003.04276), on the cells of `digits_625`. That
ranking by NLL differs from ranking by error is read from every variant.

Command: nas sweep experiments/studies/heuristics_625.py --seeds 5
         nas compare runs/heuristics_625_sweep --baseline as_is

Expected time: 55 runs of about 35 seconds of one core.

Result of 5 seeds (2026-11-21, 2 CPU cores; experiments/results/heuristics_625.json):
tau by NLL is 0.440 as it is. No change improves on it: all intervals of the differences
include 0. Nearest to leaving it out are three times the learning rate (-0.081, -0.164
to +0.002), no scale and bias in norms (-0.067, -0.137 to +0.003) and half the steps
(-0.060, in all 5 seeds, -0.156 to +0.037). Calibrated statistics and the batch's own
differ by 0.001, and so does an average of the weights (0.003). By error instead of NLL
tau is 0.491. Among the better half of the cells all are below 0.
"""

import dataclasses

from experiments import digits_625
from experiments.studies.strategies import STEPS, with_steps
from nas.evaluation import Evaluation
from nas.experiment import Experiment
from search_spaces.nasbench201 import nasbench201
from supernets import NASBench201Supernet

SPACE = nasbench201(digits_625.FIXED)

experiment = dataclasses.replace(
    with_steps(digits_625.experiment, STEPS), name="heuristics_625"
)


def _optimizer(**changes: object) -> Experiment:
    optimizer = dataclasses.replace(experiment.optimizer, **changes)
    return dataclasses.replace(experiment, optimizer=optimizer)


variants = {
    "as_is": experiment,
    "batch_statistics": dataclasses.replace(
        experiment, evaluation=Evaluation(statistics="batch")
    ),
    "no_affine": dataclasses.replace(
        experiment, supernet=NASBench201Supernet(SPACE, 4, 1, affine=False)
    ),
    "rate_third": _optimizer(learning_rate=0.033),
    "rate_triple": _optimizer(learning_rate=0.3),
    "half_as_long": with_steps(experiment, STEPS // 2),
    "twice_as_long": with_steps(experiment, 2 * STEPS),
    "no_decay": _optimizer(weight_decay=0.0),
    "decay_tenfold": _optimizer(weight_decay=5e-3),
    "unused_weights_move": _optimizer(inactive="decay_and_momentum"),
    "average": dataclasses.replace(
        experiment,
        training=dataclasses.replace(experiment.training, average=0.99),
    ),
}

"""Training strategies at equal cost, ranked against the truth of `mnist_625`.

See `experiments/studies/strategies.py` for what is compared and how.

Command: nas sweep experiments/studies/strategies_mnist.py --seeds 5

Expected time: 80 runs of 35 to 60 seconds of one core.

Result of 5 seeds (2026-11-21, 2 CPU cores; experiments/results/strategies_mnist.json):
tau of uniform 0.551, fitted formula 0.520, ceiling 0.704; no method is better than
uniform; PA&DA as published (-0.075), its schedule without gradients (-0.068) and the
sandwich rule with KL (-0.041) are worse.
"""

import dataclasses

from experiments import mnist_625
from experiments.studies.strategies import STEPS, variants_of, with_steps

experiment = dataclasses.replace(
    with_steps(mnist_625.experiment, STEPS), name="strategies_mnist"
)
variants = {
    name: dataclasses.replace(variant, name="strategies_mnist")
    for name, variant in variants_of(experiment, examples=6399).items()
}

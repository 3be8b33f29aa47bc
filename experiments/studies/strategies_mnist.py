"""Training strategies at equal cost, ranked against the truth of `mnist_625`.

See `experiments/studies/strategies.py` for what is compared and how.

Command: nas sweep experiments/studies/strategies_mnist.py --seeds 5
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

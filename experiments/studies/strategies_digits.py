"""Training strategies at equal cost, ranked against the truth of `digits_625`.

See `experiments/studies/strategies.py` for what is compared and how.

Command: nas sweep experiments/studies/strategies_digits.py --seeds 5
"""

import dataclasses

from experiments import digits_625
from experiments.studies.strategies import STEPS, variants_of, with_steps

experiment = dataclasses.replace(
    with_steps(digits_625.experiment, STEPS), name="strategies_digits"
)
variants = {
    name: dataclasses.replace(variant, name="strategies_digits")
    for name, variant in variants_of(experiment, examples=1078).items()
}

"""Training strategies at equal cost, ranked against the truth of `digits_625`.

See `experiments/studies/strategies.py` for what is compared and how.

Command: nas sweep experiments/studies/strategies_digits.py --seeds 5

Expected time: 80 runs of 35 to 60 seconds of one core.

Result of 5 seeds (2026-11-21, 2 CPU cores; experiments/results/strategies_digits.json):
tau of uniform 0.440, fitted formula 0.460, ceiling 0.582; no method is better than
uniform, the sandwich rule (-0.045), with KL (-0.120), and the mixture's fixed router
(-0.040) are worse: intervals of the differences leave out 0, of which one in twenty
would do so by chance.
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

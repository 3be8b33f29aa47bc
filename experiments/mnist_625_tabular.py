"""Search 625 cells on reduced MNIST whose errors are known: controllers in seconds.

Question: does what `digits_625_tabular` says of controllers hold where errors are of
4,000 images, so that one training tells cells apart?

Source: the table is the truth of `mnist_625`, and comes with this package; no data are
needed. The search decides by seed 0, the mean of the other two seeds is reported.

Command: nas run mnist_625_tabular
Another controller: nas search mnist_625_tabular --controller evolution
"""

import dataclasses

from experiments import digits_625_tabular
from nas.ranking import PackagedTruth

experiment = dataclasses.replace(
    digits_625_tabular.experiment,
    name="mnist_625_tabular",
    truth=PackagedTruth("experiments", "mnist_625"),
)

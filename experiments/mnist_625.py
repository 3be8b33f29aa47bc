"""625 cells on a fixed part of MNIST at 8x8 pixels: the ranking study on other data.

Question: does what `digits_625` says of rankings hold on other images?

Source: the cells and networks are those of `digits_625`. The data are 8,000 training
and 4,000 test images of MNIST (LeCun, Bottou, Bengio and Haffner 1998), without their
black border of 2 pixels and averaged over blocks of 3x3: what 2 CPU cores can train
1,875 networks on. Its errors say nothing about MNIST at full size.

Truth: each cell trained alone for 400 steps of 32 images, 3 seeds, error and negative
log-likelihood on the 4,000 test images. Command: nas truth mnist_625 --data.source.root
DIR

Command: nas train mnist_625 --data.source.root DIR && nas rank mnist_625
(to search as well: nas run mnist_625 --data.source.root DIR)
"""

import dataclasses

from experiments import digits_625
from nas.data import Mnist, Reduced
from nas.ranking import PackagedTruth

experiment = dataclasses.replace(
    digits_625.experiment,
    name="mnist_625",
    data=Reduced(Mnist(), train=8000, test=4000, crop=2, block=3),
    ranking=dataclasses.replace(
        digits_625.experiment.ranking,
        truth=PackagedTruth("experiments", "mnist_625"),
        other=PackagedTruth("experiments", "digits_625"),
    ),
)

"""Search 625 cells on digits whose errors are known: controllers, tried in seconds.

Question: how fast does a controller find what it cannot see? Every cell of `digits_625`
was trained alone over three seeds, and the table comes with this package, so that
nothing is trained or downloaded here.

Source: the table is the truth of `digits_625`; how it was made stands there.

An evaluation is a look-up of the errors of seed 0, which have no noise; the mean of the
other two seeds is what is reported. Errors are of 357 images: many cells have equal
ones, and negative log-likelihoods tell them apart.

Command: nas run digits_625_tabular
Another controller: nas search digits_625_tabular --controller evolution

Expected time: seconds on one core once programs are compiled.
"""

from experiments import digits_625
from nas.ranking import PackagedTruth
from nas.search import NSGA2, Search
from nas.tabular import TabularExperiment

experiment = TabularExperiment(
    name="digits_625_tabular",
    truth=PackagedTruth("experiments", "digits_625"),
    supernet=digits_625.experiment.supernet,
    input_shape=(8, 8, 1),
    search=Search(NSGA2(population=20), objectives=("error", "macs"), evaluations=100),
)

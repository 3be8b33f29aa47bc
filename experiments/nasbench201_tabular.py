"""Search the published NAS-Bench-201 table on CIFAR-10, without training anything.

Question: how good is what a controller finds after so many evaluations, where the best
is known? With latencies as objectives, how much of the true front?

Source: Dong and Yang, "NAS-Bench-201" (ICLR 2020, arXiv 2001.00326); latencies of Lee
et al., HELP (NeurIPS 2021, arXiv 2106.08630), on 27 settings of devices.

An evaluation is a look-up of the CIFAR-10 test error of one training of 200 epochs,
which has no noise: the first published seed. Reported is the mean of the other seeds.
The usual protocol, to decide on validation accuracy, is not used: the only validation
column among these numbers is of 12 epochs, and orders cells unlike 200 epochs do. All
seeds share their test images, so that what decides is independent of what is reported
only as far as trainings differ. 2,225 of 15,625 cells have a single seed, which cannot
do both; they are left out. Errors of cells without a path are those of chance.

Command: nas run nasbench201_tabular --truth.root DIR
Another controller: nas search nasbench201_tabular --controller evolution
By latency: --search.objectives error,latency_ms_pixel3

Expected time: some seconds on one core once programs are compiled.
"""

from experiments.published.nasbench201_table import NASBench201Table
from nas.search import NSGA2, Search
from nas.tabular import TabularExperiment
from supernets import NASBench201Supernet

experiment = TabularExperiment(
    name="nasbench201_tabular",
    truth=NASBench201Table(),
    supernet=NASBench201Supernet(channels=16, cells=5, affine=False),
    input_shape=(32, 32, 3),
    search=Search(NSGA2(), objectives=("error", "macs"), evaluations=300),
)

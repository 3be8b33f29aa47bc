"""Cells of NAS-Bench-201 on 8x8 digits: the whole job on a laptop.

Question: which cells give the best loss for their multiply-accumulates, when one set of
shared weights stands in for training each of the 15,625 on its own?

Source: the cells are those of Dong and Yang, "NAS-Bench-201" (ICLR 2020, arXiv
2001.00326), in a small network; training follows single-path one-shot (Guo et al. 2020,
arXiv 1904.00420) and the search is NSGA-II (Deb et al. 2002). The data come with
scikit-learn, so that nothing is downloaded.

Command: nas run digits_cells

Afterwards `nas rank digits_cells` holds the supernet against 625 of its cells that were
trained alone, in networks half as wide; `digits_625` ranks them at their own width.

Expected time: under 3 minutes on 2 CPU cores, compiling included; less when run again,
because compiled programs are kept.

Result (2 cores of an AMD EPYC, JAX 0.10.2, 2026-11-21): 2 min 0 s with an empty
compilation cache; five members between 120 and 353 thousand multiply-accumulates, with
errors of 3.1 % to 1.7 % on 357 images of the report split, whose intervals overlap.
"""

from experiments import digits_625
from nas import Experiment, Export, Training
from nas.data import Augment, Digits
from nas.search import NSGA2, Search
from nas.training.optimizer import SGD
from supernets import NASBench201Supernet

experiment = Experiment(
    name="digits_cells",
    supernet=NASBench201Supernet(channels=8, cells=1),
    data=Digits(),
    optimizer=SGD(learning_rate=0.1, weight_decay=5e-4),
    training=Training(
        steps=4000,
        batch_size=64,
        augment=Augment(crop_padding=1),
        log_every=50,
        checkpoint_every=1000,
    ),
    search=Search(NSGA2(population=30), objectives=("nll", "macs"), evaluations=300),
    export=Export(most=5),
    ranking=digits_625.experiment.ranking,
)

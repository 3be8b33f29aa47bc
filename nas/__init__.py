"""Weight-sharing neural architecture search: train once, search, export the front."""

from nas.errors import UserError as UserError
from nas.experiment import Experiment as Experiment
from nas.experiment import Export as Export
from nas.experiment import Finetune as Finetune
from nas.experiment import Training as Training
from nas.run import Run as Run

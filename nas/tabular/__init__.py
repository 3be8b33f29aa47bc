"""Search a table of architectures that were trained before: nothing is trained here."""

from nas.tabular.experiment import TabularExperiment as TabularExperiment
from nas.tabular.lookup import Lookup as Lookup
from nas.tabular.run import TabularRun as TabularRun

"""Watching a supernet train: what is measured every so many steps, changing nothing."""

from nas.watch.base import Watcher as Watcher
from nas.watch.effects import Effects as Effects
from nas.watch.extremes import Extremes as Extremes
from nas.watch.interference import Interference as Interference
from nas.watch.ranking import RankingDuringTraining as RankingDuringTraining

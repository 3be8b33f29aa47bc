"""Latencies that `nas profile --latency` measured."""

import dataclasses
from pathlib import Path

from nas.latency.model import LatencyModel
from nas.latency.record import LatencyRecord
from nas.latency.source import LatencySource, model_of_points
from predictors.base import Predictor
from supernets import Supernet


@dataclasses.dataclass(frozen=True)
class MeasuredLatency(LatencySource):
    """A model fitted to a sample that was measured on a device.

    Also of the architectures that were measured it gives what it predicts, unless all
    were: among medians that are off by a few percent at random, a search would prefer
    those that are off in its favour.
    """

    path: str = ""
    """The file `latency.json`."""

    predictor: Predictor | None = None
    """What is fitted; none: a linear model of options and costs."""

    def load(self, supernet: Supernet) -> LatencyModel:
        """Read it; see `LatencySource.load`."""
        record = LatencyRecord.load(Path(self.path).expanduser())
        genotypes, ms = record.check(supernet, self.path)
        text = (
            f"{self.path}: {len(ms)} networks measured on {record.device}, batches of "
            f"{record.settings.get('batch_size', '?')}, {record.date}"
        )
        return model_of_points(
            supernet, genotypes, ms, self.predictor, text, exact=False
        )

"""Latencies that a table of architectures brings along, such as a benchmark's."""

import dataclasses

from nas.errors import UserError, nearest
from nas.latency.model import LatencyModel
from nas.latency.source import LatencySource, checked_points, model_of_points
from nas.ranking.sources import TruthSource
from supernets import Supernet


@dataclasses.dataclass(frozen=True)
class TableLatency(LatencySource):
    """One column of a truth table; architectures that it lacks are predicted."""

    table: TruthSource
    """The table."""

    column: str = "latency_ms"
    """Which of its columns, such as latency_ms_pixel2."""

    def load(self, supernet: Supernet) -> LatencyModel:
        """Read it; see `LatencySource.load`."""
        table = self.table.load().for_space(supernet.space)
        if self.column not in table.columns:
            raise UserError(
                f"latency: {table.name} has no column {self.column!r}. "
                + (
                    nearest(self.column, table.columns)
                    if table.columns
                    else "It has none at all: the file of latencies that belongs to it "
                    "is not there."
                )
            )
        names = [f"{table.name}: architecture {i}" for i in range(len(table))]
        genotypes, ms = checked_points(
            supernet.space, table.genotypes, table.columns[self.column], names
        )
        text = f"{self.column} of {table.name}, {len(ms):,} networks"
        return model_of_points(supernet, genotypes, ms, None, text, exact=True)

"""Latency of a device: where it comes from, and as a function of the genotype."""

from pathlib import Path

from nas.errors import UserError
from nas.latency.blocks import BlockLatency as BlockLatency
from nas.latency.blocks import is_block_table
from nas.latency.csv_file import CSVLatency as CSVLatency
from nas.latency.measured import MeasuredLatency as MeasuredLatency
from nas.latency.model import COLUMN as COLUMN
from nas.latency.model import LatencyModel as LatencyModel
from nas.latency.published import TableLatency as TableLatency
from nas.latency.source import LatencySource as LatencySource


def source_of(path: str) -> LatencySource:
    """Tell by a file's name and first line what kind of latencies it holds.

    Args:
      path: `latency.json`, a CSV of architectures, or a CSV of options.

    Returns:
      The source; its contents are checked when it is loaded.

    Raises:
      UserError: the name ends in neither .json nor .csv.
    """
    kind = Path(path).suffix.lower()
    if kind == ".json":
        return MeasuredLatency(path)
    if kind != ".csv":
        raise UserError(
            f"--latency {path}: give a .json file that nas profile --latency made, or "
            "a .csv file of your own."
        )
    return BlockLatency(path) if is_block_table(path) else CSVLatency(path)

"""Measure the latency of this device from the command line."""

import dataclasses
from typing import Any

import numpy as np

from nas.cli.output import print_pairs, short_path, tell
from nas.cli.session import Session


def profile_latency(session: Session) -> int:
    """Measure what networks take here, into a folder that may hold no run yet.

    Args:
      session: its folder is made unless it is there, and locked meanwhile.

    Returns:
      The exit status.
    """
    from nas.run import Run
    from nas.runtime.processes import is_main
    from nas.runtime.workdir import Workdir
    from nas.stages.latency import advice, rows_of
    from nas.stages.latency import profile_latency as measure

    with Workdir(session.workdir) as workdir:
        record = measure(Run(_unconstrained(session.experiment), None, tell), workdir)
    if is_main():
        print_pairs(f"Latency of {session.experiment.name}", rows_of(record))
        for line in advice(record):
            tell(line)
        folder = short_path(session.workdir)
        stage = "search" if (session.workdir / "front.json").exists() else "run"
        tell(f"Kept in {folder}/latency.json, where searches in this folder look.")
        tell(
            f"Next: nas {stage} {session.named} --workdir {folder} "
            f"--where 'latency_ms<={np.median(record.ms):.3g}'"
        )
    return 0


def _unconstrained(experiment: Any) -> Any:
    """Leave out what a search asks for: its latencies are yet to be measured."""
    search = dataclasses.replace(
        experiment.search, objectives=("nll", "macs"), where=()
    )
    latency = dataclasses.replace(experiment.latency, source=None)
    return dataclasses.replace(experiment, search=search, latency=latency)

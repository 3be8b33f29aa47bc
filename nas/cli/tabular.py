"""The stages of an experiment that searches a table: nothing is trained."""

from typing import Any

from nas.cli.output import (
    outdate,
    print_front,
    print_pairs,
    print_places,
    report,
    tell,
)
from nas.cli.session import Session

TABULAR_STAGES = ("search", "run", "profile", "sweep", "compare")


def search_table(session: Session) -> int:
    """Search a table, and give the front by the seeds that decided nothing.

    Args:
      session: of a tabular experiment.

    Returns:
      The exit status.
    """
    from nas.runtime.processes import is_main

    with session.open_table(tell) as work:
        outdate(work.workdir)
        work.search()
        members = work.front()
        report(work.workdir)
    if is_main():
        print_front(
            members,
            f"The front of {session.experiment.name}, by seeds that decided nothing",
            session.experiment.search.objectives,
            "by the seeds that decide",
        )
        print_places(session.workdir)
    return 0


def profile_table(session: Session) -> int:
    """Say what is in a table, and what a search of it would cost."""
    import numpy as np

    from nas.tabular import TabularRun

    experiment: Any = session.experiment
    work = TabularRun(experiment, None, tell)
    lookup, optimum = work.lookup, work.optimum
    table, space = lookup.table, lookup.table.space
    budget = min(experiment.search.evaluations, space.size)
    reported = lookup.reported()
    rows = [
        ("space", f"{space.name}, {space.num_decisions} decisions"),
        ("table", f"{table.name}, {len(table):,} architectures"),
        ("rules", " ".join(work.rules())),
        ("objectives there are", ", ".join(lookup.columns)),
        *(
            (
                f"{name}, smallest / median / largest",
                f"{v.min():,.4g} / {np.median(v):,.4g} / {v.max():,.4g}",
            )
            for name, v in (
                (name, {**lookup.measured, **lookup.known}[name])
                for name in dict.fromkeys(
                    ("error", *experiment.search.objectives, "macs", "params")
                )
            )
        ),
        (
            "architectures that meet the constraints",
            f"{len(optimum.allowed):,} of {len(table):,}",
        ),
        ("best reported error", f"{reported[optimum.best]:.2%}"),
        (
            "error of a search that misses nothing",
            f"{reported[optimum.best_deciding]:.2%}",
        ),
        ("true front", f"{len(optimum.true_front)} architectures"),
        ("search", f"{budget:,} look-ups, {budget / space.size:.2%} of the space"),
    ]
    print_pairs(f"Profile of {experiment.name}", rows)
    return 0

"""Signs that training drew too one-sidedly, or that weights do not do their part."""

import numpy as np

from nas.report.draws_figure import draws_over_time
from nas.report.record import Record

# Of a decision's fair share, below which an option counts as given up.
_STARVED = 0.1
# Draws that a fair share must come to before its lack says anything.
_ENOUGH = 20
_VISITED = 0.6
_LAST = 0.2
_MOST_NAMED = 6
DISTINCT = "sampler_health/data/distinct"
EFFECT = "watch/effect/"


def unsampled_late(record: Record) -> list[str]:
    """Find options that training took, and then gave up.

    Args:
      record: of a workdir.

    Returns:
      At most one sentence.
    """
    starved = []
    for decision, draw in draws_over_time(record.curves).items():
        late, ever = draw.late(), draw.counts.sum(0)
        # What was never taken at all has an alarm of its own.
        fair = late.sum() / max((ever > 0).sum(), 1)
        if fair < _ENOUGH:
            continue
        starved += [
            f"{decision} = {option}"
            for option, count, total in zip(draw.options, late, ever, strict=True)
            if total > 0 and count < _STARVED * fair
        ]
    if not starved:
        return []
    return [
        f"In the last tenth of training {len(starved)} options were taken less than a "
        f"tenth as often as if all were equal ({_named(starved)}). Their weights are "
        "those of an earlier supernet, so they rank too low. Use a sampler with a "
        "greater floor, or a uniform one."
    ]


def unvisited(record: Record) -> list[str]:
    """Find a sampler of examples that settled on few of them.

    Args:
      record: of a workdir.

    Returns:
      At most one sentence.
    """
    share = _at_end(record, DISTINCT)
    if share is None or share >= _VISITED:
        return []
    return [
        f"In the last epochs training saw {100 * share:.0f} % of the "
        f"{record.words.examples} of the weights split; drawn uniformly, with "
        "replacement, it would be 63 %. Give the data sampler a greater floor, or draw "
        "uniformly."
    ]


def without_effect(record: Record) -> list[str]:
    """Find decisions that changed nothing the last time they were measured.

    Args:
      record: of a workdir.

    Returns:
      At most one sentence.
    """
    dead = [
        name.removeprefix(EFFECT)
        for name, (_, values) in record.curves.items()
        if name.startswith(EFFECT) and values[-1] == 0
    ]
    if not dead:
        return []
    return [
        f"{len(dead)} decisions changed nothing at all in any architecture that was "
        f"tried ({_named(dead)}). This is a defect of the supernet, such as a branch "
        "that nothing reads or a scale that stays zero; what a search says of them is "
        "noise."
    ]


def interfering(record: Record) -> list[str]:
    """Find architectures that mostly undo each other's steps.

    Args:
      record: of a workdir.

    Returns:
      At most one sentence.
    """
    share = _at_end(record, "watch/interference_negative")
    if share is None or share <= 0.5:
        return []
    return [
        f"Towards the end the gradients of {100 * share:.0f} % of the pairs of "
        "architectures pointed in opposite directions on the weights they share: a "
        "step for one undoes what another needs. Split the supernet "
        "(partition), or give it more weights."
    ]


def _at_end(record: Record, name: str) -> float | None:
    """Average the last fifth of a curve; None if there is none."""
    if name not in record.curves:
        return None
    values = record.curves[name][1]
    values = values[-max(1, int(_LAST * len(values))) :]
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _named(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + (
        " and others" if len(names) > _MOST_NAMED else ""
    )

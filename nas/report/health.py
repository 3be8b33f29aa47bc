"""What should alarm whoever reads a report: signs that a run did not work."""

import math

import numpy as np

from nas.report.record import Record, at
from nas.report.sampling_health import (
    interfering,
    unsampled_late,
    unvisited,
    without_effect,
)

# Shares of a training, or of a search, that count as its beginning and its end.
_FIRST, _LAST = 0.2, 0.2
_LATE = 0.9


def alarms(record: Record) -> list[str]:
    """List what looks wrong.

    Args:
      record: of a workdir.

    Returns:
      Plain sentences, each with what to do; empty if nothing does.
    """
    checks = (
        _loss,
        _unsampled,
        unsampled_late,
        unvisited,
        without_effect,
        interfering,
        _chance,
        _lonely,
        _late,
        _together,
        _optimistic,
    )
    return [sentence for check in checks for sentence in check(record)]


def _loss(record: Record) -> list[str]:
    if "train/loss" not in record.curves:
        return []
    values = record.curves["train/loss"][1]
    if not np.isfinite(values).all():
        return [
            "The training loss was not finite at times. Train again with a smaller "
            "optimizer.learning_rate or with optimizer.clip_norm."
        ]
    if len(values) < 3:
        return []
    begin = values[: max(1, int(_FIRST * len(values)))].mean()
    end = values[-max(1, int(_LAST * len(values))) :].mean()
    if end < 0.98 * begin:
        return []
    return [
        f"The training loss did not fall: {begin:.3g} nats at first, {end:.3g} at the "
        "end. Try another optimizer.learning_rate, and look at the labels."
    ]


def _unsampled(record: Record) -> list[str]:
    never = [
        f"{decision} = {option}"
        for decision, options in record.shares.items()
        for option, share in options.items()
        if share == 0
    ]
    if not never:
        return []
    shown = ", ".join(never[:6]) + (" and others" if len(never) > 6 else "")
    return [
        f"Training never took {len(never)} of the options ({shown}). Their weights are "
        "as they were initialised, so what the search says of them means nothing. "
        "Train longer, or restrict the space."
    ]


def _chance(record: Record) -> list[str]:
    classes = record.config.get("num_classes")
    errors = [at(entry, "objectives", "error") for entry in record.front]
    errors = [error for error in errors if error is not None]
    if not errors or not isinstance(classes, int) or classes < 2:
        return []
    chance = 1 - 1 / classes
    if min(errors) < 0.8 * chance:
        return []
    return [
        f"The best member of the front errs on {100 * min(errors):.0f} % of the "
        f"{record.words.places}; guessing errs on {100 * chance:.0f} %. The "
        "supernet has learned next to nothing: train longer, or with another learning "
        "rate."
    ]


def _lonely(record: Record) -> list[str]:
    if len(record.searched_front) != 1:
        return []
    return [
        "One architecture is the best in every objective, so the front has a single "
        "member and there is no trade-off to choose from. Usually the supernet is "
        "trained too little, or costs do not matter at this size."
    ]


def _late(record: Record) -> list[str]:
    curves = list(record.hypervolumes.values())
    if not curves or len(curves[-1][1]) < 20:
        return []
    at_end = curves[-1][1]
    before, last = at_end[int(_LATE * (len(at_end) - 1))], at_end[-1]
    if last <= 1.005 * before:
        return []
    return [
        "The front still grew in the last tenth of the search "
        f"(by {100 * (last / before - 1) if before else 100:.1f} % of its hypervolume)."
        " Search on with more search.evaluations."
    ]


def _together(record: Record) -> list[str]:
    bounds = [entry.get("interval") for entry in record.front]
    pairs = [b for b in bounds if isinstance(b, list) and len(b) == 2]
    if len(pairs) < 2 or max(b[0] for b in pairs) > min(b[1] for b in pairs):
        return []
    return [
        "The 95 % intervals of all members' errors overlap: the report split is too "
        "small to say which of them errs less. Differences in negative log-likelihood "
        "are finer."
    ]


def _optimistic(record: Record) -> list[str]:
    """Compare each member's error on the split it was chosen by with the report."""
    if record.archive is None or "error" not in record.archive.columns:
        return []
    worse = 0
    for entry in record.front:
        rows = np.asarray(entry.get("genotype", []), np.int32)
        if len(rows) != record.archive.space.num_decisions:
            continue
        row = int(record.archive.find(rows[None])[0])
        bounds = entry.get("interval") or (0.0, math.inf)
        worse += row >= 0 and record.archive.column("error")[row] < bounds[0]
    if 2 * worse <= len(record.front) or not worse:
        return []
    return [
        f"{worse} of {len(record.front)} members err clearly more on the report split "
        "than on the search split by which they were chosen. Trust the report split's "
        f"numbers, and search with fewer evaluations or more {record.words.examples}."
    ]

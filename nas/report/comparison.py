"""What fine-tuning gained: errors of one architecture, trained in several ways."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from nas.report.style import BLUE, INK, MUTED, new_figure, styled

TITLES = {
    "inherited": "weights of the supernet",
    "finetuned": "fine-tuned from them",
    "scratch": "trained from scratch",
    "uniform_inherited": "hand-made, weights of the supernet",
    "uniform": "hand-made, trained from scratch",
}
_HAND_MADE = (TITLES["uniform"], TITLES["uniform_inherited"])


def measured_runs(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Read the ways of training that a card compares.

    Args:
      card: the contents of `card.json`. Its `finetune` holds, by the name of the run, a
        mapping with `error` and `error_interval`.

    Returns:
      Those mappings, by what they are called for people, in the card's order.
    """
    runs = card.get("finetune")
    if not isinstance(runs, Mapping):
        return {}
    return {
        TITLES.get(name, str(name).replace("_", " ")): dict(run)
        for name, run in runs.items()
        if isinstance(run, Mapping) and isinstance(run.get("error"), int | float)
    }


def interval_of(run: Mapping[str, Any]) -> tuple[float, float] | None:
    """Give the 95 % interval of a run's error, if it has one."""
    found = run.get("error_interval", run.get("interval"))
    if isinstance(found, Sequence) and len(found) == 2:
        return float(found[0]), float(found[1])
    return None


@styled
def comparison_figure(runs: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw a bar with its interval for each way of training.

    Args:
      runs: what `measured_runs` gave.

    Returns:
      The figure.
    """
    figure = new_figure(7.0, 0.75 + 0.42 * max(len(runs), 1))
    axes = figure.add_subplot()
    for row, (title, run) in enumerate(runs.items()):
        error, bounds = float(run["error"]), interval_of(run)
        spread = None
        if bounds is not None:
            spread = np.abs(np.array([[bounds[0]], [bounds[1]]]) - error)
        colour = MUTED if title in _HAND_MADE else BLUE
        axes.barh(
            row,
            error,
            xerr=spread,
            color=colour,
            height=0.62,
            ecolor=INK,
            error_kw={"elinewidth": 1.0, "capsize": 3},
        )
        axes.annotate(
            f"{100 * error:.2f} %",
            (bounds[1] if bounds else error, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.set_yticks(range(len(runs)), list(runs))
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.margins(x=0.14)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    axes.set_xlabel("error on the report split (%), with its 95 % interval")
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure

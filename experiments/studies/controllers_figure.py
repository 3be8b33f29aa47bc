"""The picture of the study of controllers: curves with quartiles, one panel a task."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.studies.controllers_summary import BASELINE
from nas.report.style import (
    CYCLE,
    INK,
    MUTED,
    new_figure,
    percent_axis,
    styled,
    write_figure,
)

TITLES = {
    "regret": "regret, reported (%)",
    "regret_deciding": "regret by what decides (%)",
    "hypervolume": "hypervolume of the true front",
}
LINES = ("-", "--", ":")
# Below this regret an axis is linear, so that zero is on it.
SMALL = 1e-3


def controllers_figure(result: Mapping[str, Any], path: str) -> None:
    """Draw a result and write it.

    Args:
      result: of the study.
      path: an SVG or PNG file.
    """
    write_figure(draw(result), path)


@styled
def draw(result: Mapping[str, Any]) -> Figure:
    """Draw medians over evaluations with the quartiles of seeds.

    Args:
      result: of the study: `grid` and `quantities`.

    Returns:
      The figure.
    """
    panels: list[tuple[str, str]] = [
        (task, name)
        for task, quantities in result["quantities"].items()
        for name in quantities
    ]
    names = {
        name
        for quantities in result["quantities"].values()
        for each in quantities.values()
        for name in each
    }
    looks = looks_of(names)
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = new_figure(3.6 * columns, 2.9 * lines + 0.4)
    for place, (task, name) in enumerate(panels):
        axes = figure.add_subplot(lines, columns, place + 1)
        _panel(axes, result["grid"], result["quantities"][task][name], looks)
        axes.set_title(task.replace("+", " and "))
        axes.set_xlabel("look-ups")
        axes.set_ylabel(TITLES.get(name, name))
        if name.startswith("regret"):
            axes.set_yscale("symlog", linthresh=SMALL)
            axes.set_ylim(bottom=0)
            percent_axis(axes)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    handles, labels = figure.axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=8)
    return figure


def looks_of(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Give each controller a colour and a line; random search is black, and last."""
    others = sorted(name for name in names if name != BASELINE)
    found = {
        name: (CYCLE[place % len(CYCLE)], LINES[place // len(CYCLE) % len(LINES)])
        for place, name in enumerate(others)
    }
    return found | {BASELINE: (INK, "-")}


def _panel(
    axes: Axes,
    grid: list[int],
    each: Mapping[str, Any],
    looks: Mapping[str, tuple[str, str]],
) -> None:
    """Draw the controllers of a panel: medians, and quartiles behind them."""
    for name, (colour, line) in looks.items():
        if name not in each:
            continue
        band = MUTED if name == BASELINE else colour
        value = each[name]
        axes.plot(grid, value["median"], line, color=colour, label=name, linewidth=1.4)
        axes.fill_between(
            grid, value["low"], value["high"], color=band, alpha=0.12, linewidth=0
        )

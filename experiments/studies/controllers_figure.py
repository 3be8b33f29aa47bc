"""The picture of the study of controllers: curves with quartiles, one panel a task."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

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
    panels = [
        (task, name)
        for task, quantities in result["quantities"].items()
        for name in quantities
    ]
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = new_figure(3.6 * columns, 2.9 * lines + 0.4)
    for place, (task, name) in enumerate(panels):
        axes = figure.add_subplot(lines, columns, place + 1)
        _panel(axes, result["grid"], result["quantities"][task][name])
        axes.set_title(task.replace("+", " and "))
        axes.set_xlabel("look-ups")
        axes.set_ylabel(TITLES.get(name, name))
        if name.startswith("regret"):
            axes.set_yscale("log")
            percent_axis(axes)
            axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    handles, labels = figure.axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=6)
    return figure


def _panel(axes: Axes, grid: list[int], each: Mapping[str, Any]) -> None:
    """Draw the controllers of a panel; random search is grey, and in front."""
    others = sorted(name for name in each if name != BASELINE)
    looks = {
        name: (CYCLE[place % len(CYCLE)], LINES[place // len(CYCLE) % len(LINES)])
        for place, name in enumerate(others)
    }
    for name in (*others, *(n for n in each if n == BASELINE)):
        colour, line = looks.get(name, (INK, "-"))
        band = MUTED if name == BASELINE else colour
        value = each[name]
        axes.plot(grid, value["median"], line, color=colour, label=name, linewidth=1.4)
        axes.fill_between(
            grid, value["low"], value["high"], color=band, alpha=0.12, linewidth=0
        )

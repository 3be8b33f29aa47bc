"""The picture of controllers on shared weights: curves, and differences to random."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.studies.controllers_figure import looks_of
from experiments.studies.shared_summary import BASELINE
from nas.report.style import INK, MUTED, STEPS, new_figure, styled, write_figure

# Of a split: how far below its line a controller's mark is, and whether it is filled.
MARKS = {"search": (-0.14, True), "report": (0.14, False)}


def shared_figure(result: Mapping[str, Any], path: str) -> None:
    """Draw a result of `controllers_shared` and write it to an SVG or PNG file."""
    write_figure(draw(result), path)


@styled
def draw(result: Mapping[str, Any]) -> Figure:
    """Draw medians along the budget, and at its end differences to random search.

    Args:
      result: of the study: `grid`, `controllers`, and what was searched.

    Returns:
      The figure.
    """
    controllers = result["controllers"]
    looks = looks_of(controllers)
    figure = new_figure(9.2, 2.6 + 0.22 * max(len(controllers), 6))
    curves, differences = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _curves(curves, result, looks)
    _differences(differences, controllers, looks)
    count = len(result["seeds"])
    curves.set_title(f"{result['experiment']}, {count} seed{'s' * (count > 1)}")
    handles, labels = curves.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=8)
    return figure


def _curves(
    axes: Axes, result: Mapping[str, Any], looks: Mapping[str, tuple[str, str]]
) -> None:
    grid, lowest = result["grid"], 1.0
    early = len(grid) // 4
    for name, (colour, line) in looks.items():
        if name not in result["controllers"]:
            continue
        median = result["controllers"][name]["curve"]["median"]
        # A search that is charged first has nothing yet, which is no value of its own.
        known = [math.nan if value == 0 else value for value in median]
        axes.plot(grid, known, line, color=colour, label=name, linewidth=1.4)
        lowest = min(lowest, *(v for v in median[early:] if v > 0), 1.0)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=max(0.0, lowest - 0.05))
    axes.set_xlabel("evaluations, and what gradients cost in their unit")
    axes.set_ylabel("share of the common box, search split")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS))


def _differences(
    axes: Axes,
    controllers: Mapping[str, Mapping[str, Any]],
    looks: Mapping[str, tuple[str, str]],
) -> None:
    names = [name for name in controllers if name != BASELINE]
    for place, name in enumerate(names):
        for split, (below, filled) in MARKS.items():
            found = controllers[name][split].get("minus_random")
            if found is None:
                continue
            colour, y = looks[name][0], place + below
            if found["low"] is not None:
                ends = [found["low"], found["high"]]
                axes.plot(ends, [y, y], "-", color=colour, linewidth=1.6)
            face = colour if filled else "white"
            axes.plot(found["mean"], y, "o", color=colour, mfc=face, markersize=5)
    axes.axvline(0, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
    for split, (_, filled) in MARKS.items():
        face = MUTED if filled else "white"
        axes.plot([], [], "o", color=MUTED, mfc=face, label=f"{split} split")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlabel(f"minus {BASELINE}, of the same seed, with 95 % interval")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)

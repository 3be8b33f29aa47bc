"""How far the gradients of options lie apart, and where they were cut."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nas.report.style import INK, MUTED, VERMILLION, new_figure, styled

MOST_PANELS = 8
_LETTERS = 13
_COLUMNS = 4


@styled
def distance_figure(splits: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the distances between options of each decision that was split.

    Args:
      splits: entries of `partition.json` that were measured; at most `MOST_PANELS` are
        drawn.

    Returns:
      The figure: a square of options by options for each, ordered by group.
    """
    shown = list(splits)[:MOST_PANELS]
    columns = min(len(shown), _COLUMNS)
    rows = -(-len(shown) // columns)
    figure = new_figure(0.6 + 2.6 * columns, 0.4 + 2.7 * rows)
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axes, split in zip(panels, shown, strict=False):
        _panel(axes, split)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    return figure


def chosen(split: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give what was measured of the decision that was split, if anything was."""
    candidates = split.get("evidence", {}).get("candidates", [])
    return next((c for c in candidates if c["decision"] == split["decision"]), None)


def _panel(axes: Axes, split: Mapping[str, Any]) -> None:
    measured = chosen(split)
    assert measured is not None
    options = measured["options"]
    order = [options.index(o) for group in split["groups"] for o in group]
    values = np.array(
        [[np.nan if v is None else v for v in row] for row in measured["distance"]]
    )[np.ix_(order, order)]
    n = len(order)
    # The distance is one minus a cosine: 0 is the same way, 1 across, 2 opposed.
    axes.pcolormesh(
        values,
        cmap=matplotlib.colormaps["cividis"],
        vmin=0,
        vmax=max(1.0, np.nanmax(values)),
    )
    for i in range(n):
        for j in range(n):
            if i != j:
                _write(axes, i, j, values[i, j])
    ends = np.cumsum([len(group) for group in split["groups"]])[:-1]
    for end in ends:
        axes.plot([0, n], [end, end], color=VERMILLION, linewidth=2)
        axes.plot([end, end], [0, n], color=VERMILLION, linewidth=2)
    names = [_short(str(options[i])) for i in order]
    middle = np.arange(n) + 0.5
    axes.set_yticks(middle, names)
    axes.set_xticks(middle, names, rotation=90)
    axes.set_ylim(n, 0)
    axes.grid(False)
    axes.set_aspect("equal")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{split['decision']}, part {split['sub_supernet']}")


def _write(axes: Axes, row: int, column: int, value: float) -> None:
    known = np.isfinite(value)
    axes.text(
        column + 0.5,
        row + 0.5,
        f"{value:.2f}" if known else "-",
        ha="center",
        va="center",
        fontsize=7,
        color=("white" if value < 0.5 else INK) if known else MUTED,
    )


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"

"""How often each option was taken: a row for each decision."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nas.report.style import MUTED, new_figure, styled

# Longer option names are cut in the cells.
MOST_LETTERS = 13


@styled
def options_figure(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw decisions by options, each cell with the option and its share.

    Args:
      shares: fraction of the draws by decision, then by option.

    Returns:
      The figure.
    """
    rows = max(len(shares), 1)
    columns = max((len(options) for options in shares.values()), default=1)
    figure = new_figure(1.6 + 1.25 * columns, 0.75 + 0.33 * rows)
    axes = figure.add_subplot()
    table = np.full((rows, columns), np.nan)
    for r, options in enumerate(shares.values()):
        table[r, : len(options)] = list(options.values())
    top = max(float(np.nanmax(table, initial=0.0)), 1e-9)
    # Cividis reads the same for every colour vision, and in grey.
    colours = matplotlib.colormaps["cividis"]
    scale = Normalize(0.0, top)
    axes.pcolormesh(
        table,
        cmap=colours,
        norm=scale,
        edgecolors="white",
        linewidth=1.5,
        rasterized=False,
    )
    for r, options in enumerate(shares.values()):
        for c, (option, share) in enumerate(options.items()):
            _write_cell(axes, r, c, option, share, colours(scale(share)))
    axes.set_ylim(rows, 0)
    axes.set_yticks(np.arange(len(shares)) + 0.5, list(shares))
    axes.set_xticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("options, with the share of the draws that took each", color=MUTED)
    return figure


def _write_cell(
    axes: Axes, row: int, column: int, option: str, share: float, colour: tuple
) -> None:
    dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.5
    cut = option if len(option) <= MOST_LETTERS else option[: MOST_LETTERS - 1] + "…"
    axes.text(
        column + 0.5,
        row + 0.5,
        f"{cut}  {100 * share:.0f}%",
        ha="center",
        va="center",
        fontsize=7.5,
        color="white" if dark else "#101418",
        fontweight="bold" if share == 0 else "normal",
    )

"""Methods laid over each other: along a budget, and seed by seed at its end."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.comparison.bands import Band
from nas.comparison.pairing import Row
from nas.report.style import (
    CYCLE,
    FAINT,
    INK,
    MUTED,
    STEPS,
    new_figure,
    short,
    styled,
)

# Beyond so many lines over each other, each gets a panel of its own beside the control.
TOGETHER = 6
_COLUMNS = 4
_DASHES = (0, (4, 2))


def colours(variants: Sequence[str], baseline: str | None) -> dict[str, str]:
    """Give each method a colour, the same in every figure; the control is ink.

    Args:
      variants: all methods, in order.
      baseline: the control.
    """
    others = [name for name in variants if name != baseline]
    found = {name: CYCLE[k % len(CYCLE)] for k, name in enumerate(others)}
    return {name: found.get(name, INK) for name in variants}


@styled
def budget_figure(
    bands: Mapping[str, Band],
    baseline: str | None,
    labels: tuple[str, str],
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Draw a quantity along a budget: a line and band a method, the control dashed.

    Args:
      bands: mean and 95 % interval over seeds, by method.
      baseline: the control.
      labels: of the budget and of the quantity.
      references: values that no training changes, by name.

    Returns:
      The figure: all lines together, or a panel each where they are many.
    """
    shades = colours(list(bands), baseline)
    lines = dict(references or {})
    if len(bands) <= TOGETHER:
        figure = new_figure(7.6, 4.0)
        axes = figure.add_subplot()
        for name, found in bands.items():
            _line(axes, name, found, shades[name], name == baseline)
        _references(axes, lines)
        _frame(axes, bands, lines)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        figure.legend(loc="outside right upper")
        return figure
    others = [name for name in bands if name != baseline]
    num_rows = -(-len(others) // _COLUMNS)
    figure = new_figure(8.6, 0.6 + 1.75 * num_rows)
    grid = figure.subplots(
        num_rows, _COLUMNS, sharex=True, sharey=True, squeeze=False
    ).ravel()
    for axes, name in zip(grid, others, strict=False):
        if baseline in bands:
            _line(axes, str(baseline), bands[str(baseline)], INK, True)
        _line(axes, name, bands[name], shades[name], False)
        _references(axes, lines, named=axes is grid[0])
        _frame(axes, bands, lines)
        axes.set_title(name, fontsize=9, color=shades[name])
        axes.tick_params(labelbottom=True)
    for axes in grid[len(others) :]:
        axes.set_axis_off()
    figure.supxlabel(labels[0], fontsize=9.5)
    figure.supylabel(labels[1], fontsize=9.5)
    return figure


@styled
def paired_figure(
    rows: Sequence[Row],
    baseline: str | None,
    title: str,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Draw values seed by seed, and beside them differences to the baseline.

    Args:
      rows: of one quantity.
      baseline: the method that the others are compared with.
      title: what the quantity is called.
      references: values that no training changes, by name.

    Returns:
      The figure. A dot is a seed, a bar the mean with its 95 % interval.
    """
    shades = colours([row.variant for row in rows], baseline)
    compared = any(row.difference is not None for row in rows)
    figure = new_figure(8.6 if compared else 5.6, 1.1 + 0.34 * len(rows))
    # A line of text for each reference, so that their names do not overlap.
    lines = max(len(references or {}), 1)
    top = 1 - (0.02 + 0.14 * lines) / figure.get_figheight()
    figure.set_layout_engine("constrained", rect=(0, 0, 1, top))
    panels = figure.subplots(1, 1 + compared, squeeze=False, sharey=True)[0]
    for place, row in enumerate(rows):
        colour = shades[row.variant]
        _interval(panels[0], place, row.mean, row.values, colour)
        if row.difference is not None:
            reference = next(r for r in rows if r.variant == baseline)
            known = dict(zip(reference.seeds, reference.values, strict=True))
            own = dict(zip(row.seeds, row.values, strict=True))
            gained = [own[seed] - known[seed] for seed in row.paired]
            _interval(panels[1], place, row.difference, gained, colour)
    names = [row.variant for row in rows]
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    panels[0].set_xlabel(title)
    _uprights(panels[0], dict(references or {}))
    if compared:
        panels[1].axvline(0, color=INK, linewidth=0.9, linestyle=_DASHES)
        panels[1].set_xlabel(f"minus {baseline}, of the same seed")
    for axes in panels:
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    return figure


def _line(axes: Axes, name: str, found: Band, colour: str, control: bool) -> None:
    style = _DASHES if control else "-"
    label = f"{name} ({found.seeds} {'seed' if found.seeds == 1 else 'seeds'})"
    axes.plot(
        found.at,
        found.mean,
        color=colour,
        linestyle=style,
        label=label,
        gid=name,
        zorder=3,
    )
    if found.seeds > 1:
        axes.fill_between(
            found.at, found.low, found.high, color=colour, alpha=0.14, linewidth=0
        )
    axes.plot(found.at[-1:], found.mean[-1:], "o", color=colour, markersize=4)


def _frame(
    axes: Axes, bands: Mapping[str, Band], references: Mapping[str, float]
) -> None:
    """Show where the means are; a band of two seeds may be wider than all of them."""
    values = np.concatenate([band.mean for band in bands.values()])
    low = float(min([values.min(), *references.values()]))
    high = float(max([values.max(), *references.values()]))
    margin = 0.12 * ((high - low) or 1.0)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _references(
    axes: Axes, references: Mapping[str, float], named: bool = True
) -> None:
    for name, value in references.items():
        axes.axhline(value, color=MUTED, linewidth=0.9, linestyle=":")
        if named:
            axes.annotate(
                name,
                (1, value),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 2),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=MUTED,
            )


def _uprights(axes: Axes, references: Mapping[str, float]) -> None:
    for value in references.values():
        axes.axvline(value, color=MUTED, linewidth=0.9, linestyle=":")
    left, right = axes.get_xlim()
    for line, (name, value) in enumerate(references.items()):
        side = (value - left) / (right - left)
        said = axes.annotate(
            name,
            (value, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2 + 10 * line),
            textcoords="offset points",
            ha="left" if side < 0.25 else "right" if side > 0.75 else "center",
            va="bottom",
            fontsize=8,
            color=MUTED,
        )
        # Beside the axes there is room enough; to make more would narrow them.
        said.set_in_layout(False)


def _interval(
    axes: Axes, place: int, found: tuple, values: Sequence[float], colour: str
) -> None:
    mean, low, high, _ = found
    axes.plot(
        values,
        np.full(len(values), place + 0.18),
        "o",
        color=colour,
        markersize=3,
        alpha=0.55,
        markeredgewidth=0,
    )
    if low is not None:
        axes.plot([low, high], [place - 0.1] * 2, color=colour, linewidth=2.2)
    else:
        axes.plot([mean], [place - 0.1], "_", color=FAINT)
    axes.plot([mean], [place - 0.1], "D", color=colour, markersize=4.5)

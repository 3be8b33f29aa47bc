"""The picture of a Pareto front, and its numbers.

Two splits meet in it and are told apart: what was searched is light and measured on the
search split; members of the front carry markers and are measured on the report split.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nas.report.style import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    count_axis,
    new_figure,
    percent_axis,
    styled,
)
from nas.search.pareto import front_indices

LABELS = {
    "error": "error (%)",
    "nll": "negative log-likelihood (nats)",
    "macs": "multiply-accumulates of one example",
    "params": "parameters",
    "bytes": "bytes of weights",
    "latency_ms": "latency (ms)",
}
# What a network costs, of which a front is drawn over one.
COSTS = ("macs", "params", "bytes", "latency_ms")
# More dots than these become an image inside the figure.
MOST_VECTOR_DOTS = 2000
# The vertical axis shows at least this share of what was evaluated.
SEEN = 0.85

Columns = Mapping[str, np.ndarray]
"""`{"error": float[N], "nll": .., "macs": .., ..}`."""


@dataclasses.dataclass(frozen=True)
class Points:
    """Architectures to show as one thing.

    Attributes:
      label: what the legend says.
      columns: `float[N]` by name.
      intervals: `float[N, 2]` of the error, or None.
      names: a label beside each point, or empty.
      colour: any of matplotlib's.
      marker: one of matplotlib's.
      line: of matplotlib's line styles; empty draws no line.
      fits: whether the vertical axis reaches all of them. Otherwise only the best is
        sure to be seen, and what is worse than fits is marked at the upper edge.
    """

    label: str
    columns: Columns
    intervals: np.ndarray | None = None
    names: tuple[str, ...] = ()
    colour: str = BLUE
    marker: str = "o"
    line: str = "-"
    fits: bool = True


@styled
def front_figure(
    evaluated: Columns | None,
    members: Points | None,
    overlays: Sequence[Points] = (),
    cost: str = "macs",
    qualities: Sequence[str] = ("error", "nll"),
    size: tuple[float, float] = (8.6, 3.7),
    best_line: bool = True,
) -> Figure:
    """Draw the front against a cost, one panel for each measure of quality.

    Args:
      evaluated: everything that a search measured, on the search split.
      members: the front, on the report split.
      overlays: what to compare it with.
      cost: the column of the horizontal axis.
      qualities: the columns of the vertical axes.
      size: width and height in inches.
      best_line: whether to draw the best that was evaluated at each cost.

    Returns:
      The figure.
    """
    figure = new_figure(*size)
    shown = [*([members] if members else []), *overlays]
    for place, quality in enumerate(qualities):
        axes = figure.add_subplot(1, len(qualities), place + 1)
        axes.set_xlabel(LABELS.get(cost, cost))
        axes.set_ylabel(LABELS.get(quality, quality))
        for depth, points in enumerate(shown):
            _draw(axes, points, cost, quality, 5.0 - 0.1 * depth)
        if evaluated is not None and len(evaluated[cost]):
            _draw_evaluated(axes, evaluated, cost, quality)
            if best_line:
                _draw_best(axes, evaluated, cost, quality)
        costs = [p.columns[cost] for p in shown]
        if evaluated is not None:
            costs.append(evaluated[cost])
        if costs:
            count_axis(axes, np.concatenate(costs))
        if quality == "error":
            percent_axis(axes)
        _zoom(axes, evaluated, shown, quality)
        _mark_hidden(axes, evaluated, shown, cost, quality)
    _legend(figure)
    return figure


def cost_of(objectives: Sequence[str]) -> str:
    """Choose the cost to draw a front over: the first that was searched by, or MACs."""
    return next((name for name in objectives if name in COSTS), COSTS[0])


def points_of(
    label: str,
    objectives: Sequence[Mapping[str, float]],
    intervals: Sequence[Sequence[float]] | None = None,
    names: Sequence[str] = (),
    cost: str = COSTS[0],
) -> Points:
    """Collect architectures' numbers, by ascending cost.

    Args:
      label: what the legend says.
      objectives: of each architecture, at least one; names that all have are kept.
      intervals: of each error.
      names: a label for each, or none.
      cost: by which they are sorted.

    Returns:
      The points, with the standard look; `dataclasses.replace` changes it.
    """
    shared = [name for name in objectives[0] if all(name in o for o in objectives)]
    order = np.argsort([o.get(cost, 0) for o in objectives], kind="stable")
    columns = {
        name: np.array([float(objectives[i][name]) for i in order]) for name in shared
    }
    bounds = None
    if intervals is not None:
        bounds = np.array([list(intervals[i]) for i in order], float)
    labels = tuple(str(names[i]) for i in order) if names else ()
    return Points(label, columns, bounds, labels)


def _draw_evaluated(axes: Axes, evaluated: Columns, cost: str, quality: str) -> None:
    x, y = evaluated[cost], evaluated[quality]
    axes.scatter(
        x,
        y,
        s=9,
        color=MUTED,
        alpha=0.3,
        linewidths=0,
        zorder=1,
        rasterized=len(x) > MOST_VECTOR_DOTS,
        label=f"evaluated in the search ({len(x)}; search split)",
        gid=f"evaluated-{quality}",
    )


def _draw_best(axes: Axes, evaluated: Columns, cost: str, quality: str) -> None:
    x, y = evaluated[cost], evaluated[quality]
    best = front_indices(np.stack([x, y], axis=1))
    best = best[np.argsort(x[best], kind="stable")]
    axes.step(
        [*x[best], x.max()],
        [*y[best], y[best[-1]]],
        where="post",
        color=MUTED,
        linewidth=1.1,
        zorder=2,
        label="best found at each cost (search split)",
        gid=f"searched-front-{quality}",
    )


def _draw(axes: Axes, points: Points, cost: str, quality: str, depth: float) -> None:
    x, y = points.columns[cost], points.columns[quality]
    spread = None
    if quality == "error" and points.intervals is not None:
        spread = np.abs(points.intervals.T - y)
    drawn = axes.errorbar(
        x,
        y,
        yerr=spread,
        fmt=points.marker,
        linestyle=points.line or "none",
        color=points.colour,
        ecolor=points.colour,
        elinewidth=1.0,
        capsize=2.5,
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.7,
        label=points.label,
        zorder=depth,
        linewidth=1.5,
    )
    for bars in drawn[2]:
        bars.set_alpha(0.55)
    middle = (x.min() + x.max()) / 2
    for name, at, value in zip(points.names, x, y, strict=False):
        left = at > middle
        axes.annotate(
            name,
            (at, value),
            xytext=(-6 if left else 6, 5),
            ha="right" if left else "left",
            textcoords="offset points",
            fontsize=7.5,
            color=points.colour,
            annotation_clip=True,
        )


def _zoom(
    axes: Axes, evaluated: Columns | None, shown: Sequence[Points], quality: str
) -> None:
    """Leave out of sight the worst of what was evaluated, if it would hide the rest."""
    values = [np.zeros(0)]
    for points in shown:
        column = points.columns[quality]
        best = slice(None) if points.fits else [int(column.argmin())]
        values.append(column[best])
        if quality == "error" and points.intervals is not None:
            values.append(points.intervals[best].ravel())
    if evaluated is not None and len(evaluated[quality]):
        values.append(np.quantile(evaluated[quality], [0.0, SEEN]))
    finite = np.concatenate(values)
    finite = finite[np.isfinite(finite)]
    if not len(finite) or finite.min() == finite.max():
        return
    low, high = float(finite.min()), float(finite.max())
    pad = 0.07 * (high - low)
    axes.set_ylim(max(0.0, low - pad), high + pad)


def _mark_hidden(
    axes: Axes,
    evaluated: Columns | None,
    shown: Sequence[Points],
    cost: str,
    quality: str,
) -> None:
    """Say what is above the upper edge: how many, and which if they have names."""
    top, place = axes.get_ylim()[1], 0
    for points in shown:
        # Those without names may be hundreds, and are only counted.
        for name, x, y in zip(
            points.names, points.columns[cost], points.columns[quality], strict=False
        ):
            if y > top:
                value = f"{100 * y:.0f} %" if quality == "error" else f"{y:.2g}"
                axes.annotate(
                    f"\N{BLACK UP-POINTING TRIANGLE} {name} {value}",
                    (x, 1.0),
                    xycoords=("data", "axes fraction"),
                    xytext=(-3, -2 - 11 * place),
                    textcoords="offset points",
                    va="top",
                    fontsize=8,
                    color=points.colour,
                )
                place += 1
    unnamed = [p.columns[quality] for p in shown if not p.names]
    unnamed += [] if evaluated is None else [evaluated[quality]]
    hidden = sum(int((column > top).sum()) for column in unnamed)
    if hidden:
        axes.annotate(
            f"{hidden} evaluated are worse",
            (1.0, 1.01),
            xycoords="axes fraction",
            ha="right",
            va="bottom",
            fontsize=7.5,
            color=MUTED,
        )


def _legend(figure: Figure) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside upper left",
            ncols=2,
            labelcolor=INK,
            handletextpad=0.5,
            columnspacing=1.6,
        )
    else:
        figure.axes[0].text(
            0.5,
            0.5,
            "nothing was measured yet",
            ha="center",
            color=FAINT,
            transform=figure.axes[0].transAxes,
        )

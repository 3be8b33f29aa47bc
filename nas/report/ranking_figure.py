"""How well a supernet ranks: against the truth, against baselines, and over steps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from nas.ranking.correlation import tau_b
from nas.report.curves import Curve
from nas.report.ranking_numbers import (
    FORMULA,
    Tau,
    baselines_of,
    ceiling_of,
    formula_of,
    read_tau,
    reference_of,
)
from nas.report.style import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    ORANGE,
    STEPS,
    VERMILLION,
    new_figure,
    percent_axis,
    short,
    styled,
)

Table = Mapping[str, np.ndarray]
"""Columns of `rank.csv`, `float64[P]` each."""

# By which points are coloured, the first that there is.
_COLOURED = (
    ("convolutions", "convolutions"),
    ("macs", "MACs"),
    ("live_parameters", "live parameters"),
)
_MOST_STEPS = 10
# From this ratio of the largest to the smallest on, an axis is logarithmic.
_WIDE = 8


@styled
def scatter_figure(rank: Mapping[str, Any], table: Table) -> Figure | None:
    """Draw truth against the supernet's estimate, and the formula beside it.

    Args:
      rank: `rank.json`.
      table: `truth_error`, and those there are of `nll`, `error`, the baselines, and
        what points are coloured by.

    Returns:
      The figure; None if there is nothing to draw.
    """
    estimate = next((n for n in ("nll", "error") if n in table), None)
    if "truth_error" not in table or estimate is None:
        return None
    beside = _beside(rank, table)
    panels = [estimate] + ([beside] if beside else [])
    figure = new_figure(3.6 * len(panels) + 0.9, 3.5)
    allaxes = figure.subplots(1, len(panels), squeeze=False, sharex=True)[0]
    column, label = next(((n, text) for n, text in _COLOURED if n in table), ("", ""))
    shown = None
    for axes, name in zip(allaxes, panels, strict=True):
        tau = _tau_of(rank, table, name)
        shown = _scatter(axes, table, name, column)
        known = f": \N{GREEK SMALL LETTER TAU} = {tau:.2f}" if tau is not None else ""
        title = "supernet" if name == estimate else f"{_words(name)}, no training"
        axes.set_title(f"{title}{known}")
        axes.set_xlabel("error when trained alone (%)")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        if _wide(table["truth_error"]):
            axes.set_xscale("log")
            _sparse(axes.xaxis)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{round(100 * value, 6):g}")
        )
        if name == estimate and _wide(table[name]):
            axes.set_yscale("log")
            _sparse(axes.yaxis)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_ylabel(
            {
                "nll": "NLL with shared weights (nats)",
                "error": "error with shared weights (%)",
            }.get(name, _words(name))
        )
    if "error" in panels:
        percent_axis(allaxes[0])
    if column and shown is not None:
        bar = figure.colorbar(shown, ax=allaxes[-1], pad=0.02, aspect=28)
        bar.outline.set_visible(False)
        bar.set_label(label)
        if isinstance(shown.norm, BoundaryNorm):
            edges = shown.norm.boundaries
            bar.set_ticks(((edges[:-1] + edges[1:]) / 2).tolist(), minor=False)
            bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
            bar.ax.tick_params(length=0)
        else:
            bar.ax.yaxis.set_major_formatter(
                FuncFormatter(lambda value, _: short(value))
            )
    return figure


def _wide(values: np.ndarray) -> bool:
    """Ask whether few large values would squeeze all others into a corner."""
    return bool(values.min() > 0 and values.max() > _WIDE * values.min())


def _sparse(axis: Axis) -> None:
    """Put few marks on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())


def _beside(rank: Mapping[str, Any], table: Table) -> str | None:
    """Choose what stands beside the supernet: the best formula, or what must be beaten.

    Fixed formulas and fitted ones both have the word in their names.
    """
    known = list(baselines_of(rank)) or list(table)
    formulas = [n for n in known if FORMULA in n.lower() and n in table]
    reference = reference_of(rank)
    if formulas:
        return formulas[0]
    return reference[0] if reference is not None and reference[0] in table else None


def _words(name: str) -> str:
    return name.replace("_", " ").replace("macs", "MACs")


def _scatter(axes: Axes, table: Table, name: str, column: str) -> ScalarMappable:
    x, y = table["truth_error"], table[name]
    colour = table[column] if column else np.zeros(len(x))
    # In no order that has a meaning, or one colour would cover the others.
    order = np.random.default_rng(0).permutation(len(x))
    size = float(np.clip(2600 / max(len(x), 1), 6, 30))
    shown = axes.scatter(
        x[order],
        y[order],
        s=size,
        c=colour[order] if column else BLUE,
        cmap="cividis" if column else None,
        norm=_norm(colour) if column else None,
        edgecolors=INK,
        linewidths=0.25,
        alpha=0.9,
        rasterized=True,
        gid=f"ranked-{name}",
    )
    if name in ("nll", "error"):
        _leave_out_failures(axes, y)
    return shown


def _leave_out_failures(axes: Axes, values: np.ndarray) -> None:
    """Cut the axis where a few values would flatten all others, and say so."""
    low, middle, high = np.quantile(values, [0.0, 0.5, 0.98])
    top = high + 0.5 * (high - low)
    hidden = int((values > top).sum())
    if not hidden or values.max() < high + 2 * (high - middle):
        return
    axes.set_ylim(low - 0.05 * (top - low), top)
    axes.annotate(
        f"{hidden} are worse",
        (1.0, 1.0),
        xycoords="axes fraction",
        ha="right",
        va="top",
        fontsize=7.5,
        color=MUTED,
    )


def _norm(values: np.ndarray) -> Normalize:
    """Give each whole number a colour of its own, where there are few."""
    low, high = float(values.min()), float(values.max())
    whole = np.array_equal(values, np.round(values))
    if whole and 0 < high - low <= _MOST_STEPS:
        edges = np.arange(low, high + 2) - 0.5
        return BoundaryNorm(edges, 256)
    return Normalize(low, high if high > low else low + 1)


@styled
def baselines_figure(rank: Mapping[str, Any]) -> Figure | None:
    """Draw the tau of the supernet and of each baseline, with intervals.

    Args:
      rank: `rank.json`.

    Returns:
      The figure; None if no tau is known.
    """
    ours = {
        f"supernet, by {word}": tau
        for key, word in (("nll", "NLL"), ("error", "error"))
        if (tau := read_tau((rank.get("by") or {}).get(key))) is not None
    }
    if not ours and (tau := read_tau(rank)) is not None:
        ours = {"supernet": tau}
    if not ours:
        return None
    bars = ours | baselines_of(rank)
    names = sorted(bars, key=lambda name: bars[name].tau)
    figure = new_figure(6.6, 0.85 + 0.32 * len(names))
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        _bar(axes, row, bars[name], BLUE if name in ours else _colour(name))
    _ceiling(axes, rank, len(names))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.axvline(0, color=MUTED, linewidth=0.8)
    lowest = min(tau.tau if tau.low is None else tau.low for tau in bars.values())
    axes.set_xlim(min(0.0, lowest - 0.05), 1.08)
    axes.set_xlabel("Kendall's tau-b with the truth")
    return figure


def _bar(axes: Axes, row: int, tau: Tau, colour: str) -> None:
    axes.barh(row, tau.tau, height=0.62, color=colour)
    right = max(tau.tau, 0.0)
    if tau.low is not None and tau.high is not None:
        error = [[tau.tau - tau.low], [tau.high - tau.tau]]
        axes.errorbar(
            tau.tau,
            row,
            xerr=np.maximum(error, 0),
            color=INK,
            linewidth=1.1,
            capsize=2.5,
        )
        right = max(right, tau.high)
    axes.annotate(
        f"{tau.tau:.2f}".replace("-", "\N{MINUS SIGN}"),
        (right, row),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def _ceiling(axes: Axes, rank: Mapping[str, Any], rows: int) -> None:
    ceiling = ceiling_of(rank)
    if ceiling is None:
        return
    axes.axvline(ceiling, color=MUTED, linestyle=(0, (4, 2)), linewidth=1.2)
    axes.annotate(
        f"the truth's own seeds {ceiling:.2f}",
        (ceiling, rows - 0.42),
        xytext=(0, 1),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=MUTED,
        annotation_clip=False,
    )


def _colour(name: str) -> str:
    return ORANGE if FORMULA in name.lower() else FAINT


@styled
def tau_figure(
    curves: Mapping[str, Curve], rank: Mapping[str, Any] | None = None
) -> Figure | None:
    """Draw tau on a fixed sample against the steps of training.

    Args:
      curves: scalars by name; `rank/tau_nll` and `rank/tau_error` are drawn.
      rank: `rank.json`, whose formula and ceiling are lines; they are of all
        architectures.

    Returns:
      The figure; None if tau was not measured during training.
    """
    kinds = (("nll", "by NLL", BLUE, "o"), ("error", "by error", VERMILLION, "s"))
    shown = [kind for kind in kinds if f"rank/tau_{kind[0]}" in curves]
    if not shown:
        return None
    figure = new_figure(5.6, 3.0)
    axes = figure.add_subplot()
    for name, label, colour, marker in shown:
        steps, values = curves[f"rank/tau_{name}"]
        axes.plot(steps, values, color=colour, label=label, marker=marker, markersize=3)
    formula = formula_of(rank or {})
    lines = (
        ("the formula", formula and formula.tau, ORANGE, (0, (5, 2))),
        ("the truth's own seeds", ceiling_of(rank or {}), MUTED, (0, (1, 1.5))),
    )
    for label, tau, colour, style in lines:
        if tau is not None:
            axes.axhline(tau, color=colour, linestyle=style, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("Kendall's tau-b with the truth")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    low = min(float(np.nanmin(curves[f"rank/tau_{kind[0]}"][1])) for kind in shown)
    axes.set_ylim(min(0.0, low - 0.05) if np.isfinite(low) else 0.0, 1.0)
    figure.legend(loc="outside upper left", ncols=4)
    return figure


def _tau_of(rank: Mapping[str, Any], table: Table, name: str) -> float | None:
    """Give the tau that was written down, or else that of the points shown."""
    known = read_tau((rank.get("by") or {}).get(name))
    if name not in ("nll", "error"):
        known = baselines_of(rank).get(name)
    if known is not None:
        return known.tau
    x, y = table["truth_error"], table[name]
    both = np.isfinite(x) & np.isfinite(y)
    return tau_b(x[both], y[both]) if both.sum() > 1 else None

"""What watching a supernet found: largest and smallest, interference, effects."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.report.curves import Curve
from nas.report.style import (
    BLUE,
    CYCLE,
    FAINT,
    MUTED,
    STEPS,
    VERMILLION,
    new_figure,
    short,
    styled,
)

EFFECT = "watch/effect/"
# Lines of effects that get a colour and a name: the largest and the smallest.
_NAMED = 6


@styled
def watch_figure(curves: Mapping[str, Curve]) -> Figure | None:
    """Draw what was watched during training, those there are.

    Args:
      curves: scalars by name.

    Returns:
      The figure; None if nothing was watched.
    """
    panels = [
        draw
        for name, draw in (
            ("watch/largest_nll", _extremes),
            ("watch/interference_cosine", _interference),
            (EFFECT, _effects),
        )
        if any(found.startswith(name) for found in curves)
    ]
    if not panels:
        return None
    beside = 0.9 if _effects in panels else 0.3
    figure = new_figure(2.75 * len(panels) + beside, 2.6)
    for place, draw in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1)
        draw(axes, curves)
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=STEPS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    return figure


def _extremes(axes: Axes, curves: Mapping[str, Curve]) -> None:
    for which, colour, marker in (
        ("largest", BLUE, "o"),
        ("smallest", VERMILLION, "s"),
    ):
        name = f"watch/{which}_nll"
        if name in curves:
            _line(axes, curves[name], colour, which, marker)
    axes.set_title("largest and smallest")
    axes.set_ylabel("NLL, search split (nats)")
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")


def _interference(axes: Axes, curves: Mapping[str, Curve]) -> None:
    _line(axes, curves["watch/interference_cosine"], BLUE, "mean of pairs", "o")
    if "watch/interference_least" in curves:
        _line(axes, curves["watch/interference_least"], VERMILLION, "least", "s")
    axes.axhline(0, color=MUTED, linewidth=0.9)
    axes.set_title("interference")
    axes.set_ylabel("cosine of gradients")
    low, high = axes.get_ylim()
    axes.set_ylim(max(-1.05, min(low, -0.15)), min(1.05, max(high, 0.3)))
    axes.legend(loc="best")


def _effects(axes: Axes, curves: Mapping[str, Curve]) -> None:
    found = {n.removeprefix(EFFECT): c for n, c in curves.items() if EFFECT in n}
    order = sorted(found, key=lambda name: -found[name][1][-1])
    named = order
    if len(order) > _NAMED:
        named = [*order[: _NAMED // 2], *order[-(_NAMED // 2) :]]
    for name in order:
        if name not in named:
            axes.plot(*found[name], color=FAINT, linewidth=1.0)
    for colour, name in zip(CYCLE, named, strict=False):
        _line(axes, found[name], colour, name, "")
    lowest = min(float(np.min(values)) for _, values in found.values())
    axes.set_yscale("log" if lowest > 0 else "linear")
    axes.set_title("effect of decisions")
    axes.set_ylabel("mean |change of NLL| (nats)")
    axes.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7.5, handlelength=1.4
    )


def _line(axes: Axes, curve: Curve, colour: str, label: str, marker: str) -> None:
    axes.plot(*curve, color=colour, label=label, marker=marker, markersize=3)

"""Curves over steps: the hypervolume of searches, and a training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.report.style import (
    BLUE,
    CYCLE,
    STEPS,
    new_figure,
    percent_axis,
    short,
    styled,
)

Curve = tuple[np.ndarray, np.ndarray]
"""Steps `int[N]` and values `float[N]`."""

TRAINING = (
    ("train/loss", "training loss (nats)"),
    ("train/accuracy", "training accuracy (%)"),
    ("train/learning_rate", "learning rate"),
)


@styled
def hypervolume_figure(searches: Mapping[str, Curve]) -> Figure:
    """Draw the hypervolume over evaluations, searches laid over each other.

    Args:
      searches: evaluations and hypervolumes by the label of the search.

    Returns:
      The figure.
    """
    figure = new_figure(5.6, 3.1)
    axes = figure.add_subplot()
    for colour, (label, (at, volume)) in zip(
        _colours(len(searches)), searches.items(), strict=True
    ):
        axes.step(at, volume, where="post", color=colour, label=label)
        axes.plot(at[-1:], volume[-1:], "o", color=colour, markersize=4)
    axes.set_xlabel("architectures evaluated")
    axes.set_ylabel("hypervolume (fraction of the box)")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS))
    if len(searches) > 1:
        axes.legend(loc="lower right")
    return figure


@styled
def training_figure(curves: Mapping[str, Curve]) -> Figure:
    """Draw loss, accuracy and learning rate of a training, those there are.

    Args:
      curves: steps and values by the name of the scalar.

    Returns:
      The figure.
    """
    shown = [(name, label) for name, label in TRAINING if name in curves]
    figure = new_figure(8.6, 2.5)
    for place, (name, label) in enumerate(shown):
        axes = figure.add_subplot(1, max(len(shown), 1), place + 1)
        steps, values = curves[name]
        axes.plot(steps, values, color=BLUE, gid=name)
        if len(steps) < 20:
            axes.plot(steps, values, "o", color=BLUE, markersize=3)
        axes.set_title(label)
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=STEPS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        if name == "train/accuracy":
            percent_axis(axes)
        axes.set_ylim(bottom=0)
    return figure


def _colours(num: int) -> Sequence[str]:
    return [CYCLE[i % len(CYCLE)] for i in range(num)]

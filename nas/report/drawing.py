"""A drawing of an architecture of any space, by the pattern of its decisions' names.

Decisions called `<name>_<i>_<j>` with i < j are edges of a graph from node i to node j;
those called `<name>_<i>` are layers in order; what is left is named above. A space with
neither is written as a table. Decisions without effect are not drawn.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.ticker import MaxNLocator

from nas.report.style import BLUE, CYCLE, FAINT, INK, MUTED, new_figure, styled
from search_spaces import SearchSpace

# Options that stand for nothing being there, whatever the space.
ABSENT = ("none", "zero", "identity_zero")


@dataclasses.dataclass(frozen=True)
class Layout:
    """How decisions are drawn.

    Attributes:
      edges: for each name, the decision of each edge (i, j).
      layers: for each name, the decision of each layer i.
      plain: decisions that are only named.
    """

    edges: dict[str, dict[tuple[int, int], str]]
    layers: dict[str, dict[int, str]]
    plain: tuple[str, ...]


def layout_of(names: tuple[str, ...]) -> Layout:
    """Sort decisions into edges, layers and the rest, by their names alone."""
    edges: dict[str, dict[tuple[int, int], str]] = {}
    for name in names:
        if match := re.fullmatch(r"(.+?)_(\d+)_(\d+)", name):
            pair = (int(match[2]), int(match[3]))
            edges.setdefault(match[1], {})[pair] = name
    edges = {
        prefix: group
        for prefix, group in edges.items()
        if len(group) > 1 and all(i < j for i, j in group)
    }
    taken = {name for group in edges.values() for name in group.values()}
    layers: dict[str, dict[int, str]] = {}
    for name in names:
        match = re.fullmatch(r"(.+)_(\d+)", name)
        if match and name not in taken:
            layers.setdefault(match[1], {})[int(match[2])] = name
    layers = {prefix: group for prefix, group in layers.items() if len(group) > 1}
    taken |= {name for group in layers.values() for name in group.values()}
    return Layout(edges, layers, tuple(name for name in names if name not in taken))


@styled
def architecture_figure(space: SearchSpace, genotype: np.ndarray) -> Figure:
    """Draw an architecture.

    Args:
      space: what names its decisions.
      genotype: `int[D]`.

    Returns:
      The figure.
    """
    genotype = space.canonical(space.validate(genotype))
    alive = space.alive(genotype)
    choices = {
        name: option
        for (name, option), lives in zip(
            space.decode(genotype).items(), alive, strict=True
        )
        if lives
    }
    options = {d.name: d.options for d in space.decisions}
    layout = layout_of(space.names)
    num = len(layout.edges) + len(layout.layers)
    if not num:
        return _table(choices)
    columns = max(len(group) for group in [*layout.layers.values(), ()])
    heights = [1.15] * len(layout.edges) + [1.05] * len(layout.layers)
    width = max(4.4, min(9.0, 1.4 + 0.34 * columns))
    figure = new_figure(width, sum(heights) + (0.35 if layout.layers else 0.1))
    panels = figure.subplots(num, 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (prefix, group) in zip(panels, layout.edges.items(), strict=False):
        _graph(axes, prefix, group, choices, options)
    for axes, (prefix, group) in zip(
        panels[len(layout.edges) :], layout.layers.items(), strict=True
    ):
        _layers(axes, prefix, group, choices, options)
    if layout.layers:
        panels[-1].set_xlabel("layer")
    plain = [f"{name} {choices[name]}" for name in layout.plain if name in choices]
    if plain:
        figure.suptitle("     ".join(plain), fontsize=9.5, x=0.02, ha="left")
    return figure


def _graph(
    axes: Axes,
    prefix: str,
    group: Mapping[tuple[int, int], str],
    choices: Mapping[str, object],
    options: Mapping[str, tuple],
) -> None:
    """Draw nodes on a line, and an arc for each edge that is there."""
    nodes = sorted({node for pair in group for node in pair})
    place = {node: float(i) for i, node in enumerate(nodes)}
    every = list(dict.fromkeys(o for name in group.values() for o in options[name]))
    real = [option for option in every if str(option) not in ABSENT]
    colours = {option: CYCLE[i % len(CYCLE)] for i, option in enumerate(real)}
    top = low = 0.0
    for (i, j), name in sorted(group.items()):
        if name not in choices:
            continue
        option = choices[name]
        span = place[j] - place[i]
        # Arcs of every second node go below, so that they do not cross.
        side = 0.0 if span == 1 else (1.0 if nodes.index(i) % 2 else -1.0)
        bend = side * 0.34
        there = option in colours
        axes.add_patch(
            FancyArrowPatch(
                (place[i], 0),
                (place[j], 0),
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>" if there else "-",
                mutation_scale=11,
                shrinkA=11,
                shrinkB=11,
                linewidth=2.2 if there else 0.9,
                linestyle="-" if there else (0, (2, 3)),
                gid=name,
                color=colours.get(option, FAINT),
            )
        )
        height = -bend * span / 2
        top, low = max(top, height), min(low, height)
    axes.scatter(
        list(place.values()),
        np.zeros(len(nodes)),
        s=320,
        color="white",
        zorder=3,
        edgecolors=MUTED,
        linewidths=1.0,
    )
    for node, x in place.items():
        axes.text(
            x,
            0,
            str(node),
            ha="center",
            va="center",
            fontsize=9,
            zorder=4,
            color="#101418",
        )
    used = {str(choices[n]) for n in group.values() if n in choices}
    handles: list[Patch | Line2D] = [
        Line2D([], [], color=colour, linewidth=2.2, label=str(option))
        for option, colour in colours.items()
        if str(option) in used
    ]
    handles += [
        Line2D([], [], color=FAINT, linewidth=0.9, linestyle=(0, (2, 3)), label=name)
        for name in ABSENT
        if name in used
    ]
    figure = axes.figure
    figure.legend(handles=handles, loc="outside right center")
    axes.set_xlim(-0.25, len(nodes) - 0.75)
    axes.set_ylim(low - 0.25, top + 0.25)
    axes.set_aspect("equal")
    axes.set_axis_off()
    if prefix not in ("edge", "cell"):
        axes.set_title(prefix)


def _layers(
    axes: Axes,
    prefix: str,
    group: Mapping[int, str],
    choices: Mapping[str, object],
    options: Mapping[str, tuple],
) -> None:
    """Draw a bar for each layer: its value, or its option's place in the list."""
    every = list(dict.fromkeys(o for name in group.values() for o in options[name]))
    numeric = all(isinstance(o, int | float) and not isinstance(o, bool) for o in every)
    numbers = [float(o) if numeric else k + 1.0 for k, o in enumerate(every)]
    height = dict(zip(every, numbers, strict=True))
    for layer, name in group.items():
        if name not in choices:
            continue
        option = choices[name]
        axes.bar(layer, height[option], width=0.72, color=BLUE, gid=name)
        if numeric and len(group) <= 24:
            axes.annotate(
                f"{option:g}" if isinstance(option, float) else str(option),
                (layer, height[option]),
                xytext=(0, 1.5),
                ha="center",
                textcoords="offset points",
                fontsize=7.5,
                color=INK,
            )
    axes.set_xlim(min(group) - 0.6, max(group) + 0.6)
    axes.set_ylim(0, 1.22 * max([*numbers, 1e-9]))
    axes.xaxis.set_major_locator(MaxNLocator(24, integer=True))
    if numeric:
        axes.yaxis.set_major_locator(MaxNLocator(3))
    else:
        axes.set_yticks(numbers, [str(option) for option in every])
    axes.set_ylabel(prefix.replace("_", " "))
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)


def _table(choices: Mapping[str, object]) -> Figure:
    figure = new_figure(4.4, 0.3 + 0.24 * max(len(choices), 1))
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_ylim(len(choices), 0)
    axes.set_xlim(0, 1)
    for row, (name, option) in enumerate(choices.items()):
        axes.text(0.0, row + 0.5, name, va="center", color=MUTED)
        axes.text(0.55, row + 0.5, str(option), va="center")
    return figure

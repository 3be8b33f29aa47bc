"""How often options were drawn, when: read back from the cumulative shares of a log."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.report.curves import Curve
from nas.report.style import (
    CYCLE,
    INK,
    MUTED,
    STEPS,
    new_figure,
    percent_axis,
    short,
    styled,
)

# How many options of a decision were drawn so far; without it, one a step.
DRAWS = "train/draws"
HEALTH = "sampler_health/"
# Panels of each kind; what is beyond is left out, the most even decisions first.
MOST = 12
# Points of a line; more would show the noise of drawing rather than its drift.
_POINTS = 24
_COLUMNS = 3
_LINES = ("-", "--", ":")


@dataclasses.dataclass(frozen=True)
class Draws:
    """How often the options of one decision were drawn, interval by interval.

    Attributes:
      options: their names.
      steps: `int[T + 1]`: where the intervals begin, and where the last ends.
      counts: `float64[T, O]`, draws in each interval.
    """

    options: tuple[str, ...]
    steps: np.ndarray
    counts: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """`float64[T, O]`: fractions of each interval's draws."""
        return self.counts / np.maximum(self.counts.sum(1, keepdims=True), 1e-12)

    def late(self, part: float = 0.1) -> np.ndarray:
        """Count the draws at the end: of the last interval at least.

        Args:
          part: of the training, that counts as its end.

        Returns:
          `float64[O]`.
        """
        begins = self.steps[:-1]
        late = begins >= self.steps[-1] * (1 - part)
        late[-1] = True
        return self.counts[late].sum(0)


def draws_over_time(curves: Mapping[str, Curve]) -> dict[str, Draws]:
    """Take the logged, cumulative shares apart into intervals.

    Where the count of draws falls, training began anew, and so does the count.

    Args:
      curves: scalars of a log by name: `sampler/<decision>/<option>`.

    Returns:
      By decision, in the order of the log.
    """
    found: dict[str, dict[str, Curve]] = {}
    for name, curve in curves.items():
        kind, _, rest = name.partition("/")
        # An option's name may hold a slash, a decision's may not.
        decision, slash, option = rest.partition("/")
        if kind == "sampler" and slash:
            found.setdefault(decision, {})[option] = curve
    return {
        decision: _apart(options, curves.get(DRAWS))
        for decision, options in found.items()
    }


def _apart(options: Mapping[str, Curve], drawn: Curve | None) -> Draws:
    steps = np.asarray(next(iter(options.values()))[0])
    totals = steps.astype(np.float64)
    if drawn is not None and np.array_equal(drawn[0], steps):
        totals = np.asarray(drawn[1], np.float64)
    shares = np.stack([np.asarray(values) for _, values in options.values()], axis=1)
    so_far = shares * totals[:, None]
    before = np.concatenate([np.zeros_like(so_far[:1]), so_far[:-1]])
    anew = np.concatenate([[False], np.diff(totals) < 0])
    before[anew] = 0
    # Shares are rounded, so that a difference may be below zero by as much.
    counts = np.maximum(so_far - before, 0)
    return Draws(tuple(options), np.concatenate([[0], steps]), counts)


@styled
def draws_figure(draws: Mapping[str, Draws]) -> Figure:
    """Draw the share of each option over the training, a panel a decision.

    Args:
      draws: by decision; of more than 12 those with the most uneven end are shown.

    Returns:
      The figure.
    """
    shown = _most_uneven(draws)
    names = {draw.options for draw in shown.values()}
    columns = min(_COLUMNS, max(len(shown), 1))
    rows = -(-max(len(shown), 1) // columns)
    figure = new_figure(2.75 * columns + 0.2, 1.75 * rows + 0.55)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    panels = panels.ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, (decision, draw) in zip(panels, shown.items(), strict=False):
        _panel(axes, decision, draw)
        if len(names) > 1:
            axes.legend(loc="upper left", ncols=2, fontsize=6.5, handlelength=1.2)
    if len(names) == 1 and shown:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=5)
    top = max((float(_merged(draw).shares.max()) for draw in shown.values()), default=1)
    panels[0].set_ylim(-0.02 * top, min(1.1 * top, 1.03))
    for axes in panels[max(len(shown) - columns, 0) : len(shown)]:
        axes.set_xlabel("step")
        axes.tick_params(labelbottom=True)
    for axes in panels[: len(shown) : columns]:
        axes.set_ylabel("share of draws (%)")
    return figure


def _panel(axes: Axes, decision: str, draw: Draws) -> None:
    merged = _merged(draw)
    middles = (merged.steps[:-1] + merged.steps[1:]) / 2
    for k, option in enumerate(draw.options):
        axes.plot(
            middles,
            merged.shares[:, k],
            color=CYCLE[k % len(CYCLE)],
            linestyle=_LINES[k // len(CYCLE) % len(_LINES)],
            marker="o" if len(middles) < 3 else "",
            markersize=3,
            label=option,
            linewidth=1.4,
        )
    uniform = 1 / len(draw.options)
    axes.axhline(uniform, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set_title(decision, fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=STEPS))
    percent_axis(axes)
    _step_axis(axes)


@styled
def health_figure(curves: Mapping[str, Curve]) -> Figure:
    """Draw what samplers log about their health, a panel a scalar.

    Args:
      curves: scalars by name; those that begin with `sampler_health/` are drawn, at
        most 12.

    Returns:
      The figure.
    """
    shown = {n: c for n, c in curves.items() if n.startswith(HEALTH)}
    shown = dict(list(shown.items())[:MOST])
    columns = min(_COLUMNS, max(len(shown), 1))
    rows = -(-max(len(shown), 1) // columns)
    figure = new_figure(2.75 * columns + 0.2, 1.75 * rows + 0.1)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, (name, (steps, values)) in zip(panels, shown.items(), strict=False):
        axes.plot(steps, values, color=CYCLE[0])
        text = name.removeprefix(HEALTH).replace("/", ": ").replace("_", " ")
        axes.set_title(text, fontsize=9, color=INK)
        axes.set_xlabel("step")
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(values, initial=0.0))))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=STEPS))
        _step_axis(axes)
    return figure


def _step_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _merged(draw: Draws) -> Draws:
    """Merge neighbouring intervals, so that at most 24 are left."""
    num = len(draw.counts)
    firsts = np.unique(np.linspace(0, num, min(num, _POINTS) + 1).astype(int))
    counts = np.add.reduceat(draw.counts, firsts[:-1], axis=0)
    return Draws(draw.options, draw.steps[firsts], counts)


def _most_uneven(draws: Mapping[str, Draws]) -> dict[str, Draws]:
    """Keep the decisions whose last draws are the least even, in their order."""

    def unevenness(draw: Draws) -> float:
        late = draw.late()
        return float(np.ptp(late / max(late.sum(), 1e-12))) * len(late)

    chosen = sorted(draws, key=lambda name: -unevenness(draws[name]))[:MOST]
    return {name: draw for name, draw in draws.items() if name in chosen}

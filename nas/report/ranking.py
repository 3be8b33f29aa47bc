"""The section of the page on rankings, and what was watched during training."""

from typing import Any

import numpy as np

from nas.report.draws_figure import (
    HEALTH,
    MOST,
    draws_figure,
    draws_over_time,
    health_figure,
)
from nas.report.html import Html, framed, section, table, tag
from nas.report.ranking_figure import baselines_figure, scatter_figure, tau_figure
from nas.report.ranking_numbers import (
    FORMULA,
    Tau,
    baselines_of,
    ceiling_of,
    read_tau,
    reference_of,
)
from nas.report.record import Record, at
from nas.report.style import to_inline_svg
from nas.report.watch_figure import watch_figure

# Intervals of a training, below which a curve of draws says nothing.
_FEWEST = 4


def ranking(record: Record) -> Html:
    """Say how well the supernet ranks, when there is a truth.

    Args:
      record: of a workdir.

    Returns:
      The section; empty without `rank.json` and without a tau in the log.
    """
    rank = record.rank or {}
    found = read_tau(rank)
    content: list[Html] = []
    if found is not None:
        content += [tag("p", text) for text in sentences(rank)]
    content += _figures(record, rank if found is not None else {})
    if found is not None and (rows := _rows(rank)):
        content.append(
            table(("Ranking by", "tau", "95 % interval", "needs training"), rows)
        )
    if not content:
        return Html("")
    return section("ranking", "Can the ranking be trusted?", *content)


def sentences(rank: dict[str, Any]) -> list[str]:
    """Say in plain words what `rank.json` holds.

    Args:
      rank: its contents, with a tau.

    Returns:
      Sentences: what tau is, the formula, and what the weights add to it.
    """
    ours, reference = read_tau(rank), reference_of(rank)
    if ours is None:
        return []
    said = [_tau(rank, ours)]
    if reference is not None:
        name, tau = reference
        said.append(_reference(ours, name, tau))
        partial = _partial(at(rank, "partial_tau"), _called(name))
        said += [partial] if partial else []
    return said


def _tau(rank: dict[str, Any], ours: Tau) -> str:
    bounds = ""
    if ours.low is not None and ours.high is not None:
        bounds = f" (95 % interval {ours.low:.2f} to {ours.high:.2f})"
    text = (
        "Kendall's tau says how alike two rankings are: 1 if every two architectures "
        "are in the same order in both, 0 if as many are in the other order, -1 if one "
        "ranking is the other reversed. Between the supernet's ranking and networks "
        f"trained on their own it is {ours.tau:.2f}{bounds}, over "
        f"{rank.get('n', 'some')} architectures."
    )
    ceiling = ceiling_of(rank)
    if ceiling is not None:
        text += (
            f" The truth agrees with itself only to {ceiling:.2f} when it is trained "
            "with another seed, so much more cannot be expected."
        )
    return text


def _called(name: str) -> str:
    return "the formula" if FORMULA in name.lower() else f"the baseline {name}"


def _reference(ours: Tau, name: str, tau: Tau) -> str:
    """Say what the supernet has to beat, and whether it does."""
    called = _called(name)
    if FORMULA in name.lower():
        text = (
            "The formula adds up a number for each operation of an architecture and "
            f"trains nothing; its tau is {tau.tau:.2f}. "
        )
    else:
        text = (
            f"Of the baselines that train nothing, {name} is the best; its tau is "
            f"{tau.tau:.2f}. "
        )
    if ours.tau <= tau.tau:
        return text + (
            f"The supernet does not beat {called}: whoever only wants a ranking need "
            "not train it."
        )
    if ours.low is not None and tau.high is not None and ours.low <= tau.high:
        return text + (
            "The supernet's tau is higher, but the intervals of the two overlap."
        )
    return text + f"The supernet ranks better than {called}."


def _partial(partial: Any, called: str) -> str:
    """Say what the weights add, by the partial tau."""
    found = read_tau(partial)
    if found is None:
        return ""
    text = (
        "What the weights add beyond it: taking away what "
        f"{called} explains, a partial tau of {found.text} is left. "
    )
    copy = at(partial, "copy")
    beyond, low, high = (
        at(partial, name)
        for name in ("beyond_copy", "beyond_copy_low", "beyond_copy_high")
    )
    if copy is None or beyond is None:
        low, high = found.low, found.high
        positive = found.tau > 0 if low is None else low > 0
    else:
        bounds = "" if low is None else f", 95 % interval {low:.2f} to {high:.2f}"
        text += (
            f"An estimate that only repeats {called}, with noise, would have "
            f"{copy:.2f}; the difference is {beyond:.2f}{bounds}. "
        )
        positive = beyond > 0 if low is None else low > 0
    if positive:
        return text + "So training did add something."
    return text + "So there is no sign that training added anything."


def _figures(record: Record, rank: dict[str, Any]) -> list[Html]:
    """Draw what there is."""
    figures = (
        (
            scatter_figure(rank, record.ranked) if rank else None,
            "ranked",
            "Truth against estimate",
            "Each point is an architecture: how much it errs when it is trained on its "
            "own, and what is estimated without that. Points that rise from left to "
            "right are in the right order; of counts, such as parameters, points that "
            "fall.",
        ),
        (
            baselines_figure(rank) if rank else None,
            "baselines",
            "Tau of the supernet and of baselines",
            "Blue: the supernet. Orange: formulas. Grey: the other baselines. Lines "
            "are 95 % intervals over architectures.",
        ),
        (
            tau_figure(record.curves, rank),
            "tau",
            "Tau during training",
            "On one fixed sample of architectures." + _spread(record),
        ),
    )
    return [
        framed(to_inline_svg(figure, name, title), caption)
        for figure, name, title, caption in figures
        if figure is not None
    ]


def _spread(record: Record) -> str:
    curve = record.curves.get("rank/tau_nll_spread")
    if curve is None or not np.isfinite(curve[1][-1]):
        return ""
    return (
        f" Over the latest measurements the standard deviation of tau by NLL was "
        f"{curve[1][-1]:.3f}: differences below that mean nothing."
    )


def _rows(rank: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """List the supernet's and the baselines' tau, for who cannot see the figure."""
    by = at(rank, "by") or {}
    ours = {f"supernet, by {name}": read_tau(value) for name, value in by.items()}
    if not ours:
        ours = {"supernet": read_tau(rank)}
    entries = [(n, t, "the supernet") for n, t in ours.items() if t is not None]
    entries += [(n, t, "no") for n, t in baselines_of(rank).items()]
    entries = [
        (n, t, "some architectures" if "ridge" in n.lower() else needs)
        for n, t, needs in entries
    ]
    return [
        (
            name,
            f"{tau.tau:.2f}",
            "" if tau.low is None else f"{tau.low:.2f} to {tau.high:.2f}",
            needs,
        )
        for name, tau, needs in sorted(entries, key=lambda e: -e[1].tau)
    ]


def watched(record: Record) -> list[Html]:
    """Show when options and examples were drawn, and what watchers measured.

    Args:
      record: of a workdir.

    Returns:
      Figures with captions, for the section on training.
    """
    content: list[Html] = []
    draws = draws_over_time(record.curves)
    if draws and len(next(iter(draws.values())).counts) >= _FEWEST:
        caption = (
            "When training took each option: shares of the draws since the point "
            "before. The dotted line is where all options would be taken alike."
        )
        if len(draws) > MOST:
            caption += f" The {MOST} decisions with the most uneven end are shown."
        svg = to_inline_svg(draws_figure(draws), "draws", "Draws over time")
        content.append(framed(svg, caption))
    if any(name.startswith(HEALTH) for name in record.curves):
        svg = to_inline_svg(health_figure(record.curves), "health", "Sampler's health")
        content.append(framed(svg, "What the samplers tell of themselves."))
    figure = watch_figure(record.curves)
    if figure is not None:
        caption = (
            "Measured while training went on. Interference: below 0, a step that helps "
            "one architecture undoes what another needs. Effect: how much the loss "
            "changes when a decision takes another option."
        )
        svg = to_inline_svg(figure, "watched", "What was watched")
        content.append(framed(svg, caption))
    return content

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
from nas.report.ranking_figure import (
    Tau,
    baselines_figure,
    baselines_of,
    formula_of,
    read_tau,
    scatter_figure,
    tau_figure,
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
    ours, formula = read_tau(rank), formula_of(rank)
    if ours is None:
        return []
    bounds = ""
    if ours.low is not None and ours.high is not None:
        bounds = f" (95 % interval {ours.low:.2f} to {ours.high:.2f})"
    first = (
        "Kendall's tau says how alike two rankings are: 1 if every two architectures "
        "are in the same order in both, 0 if as many are in the other order, -1 if one "
        "ranking is the other reversed. Between the supernet's ranking and networks "
        f"trained on their own it is {ours.tau:.2f}{bounds}, over "
        f"{rank.get('n', 'some')} architectures."
    )
    ceiling = read_tau(rank.get("ceiling"))
    if ceiling is not None:
        first += (
            f" The truth itself repeats only to {ceiling.tau:.2f} from one seed to "
            "another, so more cannot be reached."
        )
    said = [first]
    if formula is not None:
        said.append(
            "The formula adds up weights for the operations of an architecture and "
            f"trains nothing; its tau is {formula.tau:.2f}. {_verdict(ours, formula)}"
        )
    partial = partial_of(rank)
    if partial is not None:
        said.append(_partial(partial))
    return said


def _verdict(ours: Tau, formula: Tau) -> str:
    """Say whether the supernet beats the formula."""
    if ours.tau <= formula.tau:
        return (
            "The supernet does not beat the formula: whoever only wants a ranking of "
            "this space need not train it."
        )
    overlap = None not in (ours.low, formula.high) and ours.low <= formula.high  # type: ignore[operator]
    if overlap:
        return (
            "The supernet's tau is higher, but the two intervals overlap, so that this "
            "may be chance."
        )
    return "The supernet ranks better than the formula."


def partial_of(rank: dict[str, Any]) -> Tau | None:
    """Read the partial tau: a number, a tau with its interval, or that of the NLL."""
    value = rank.get("partial_tau")
    found = read_tau(value)
    if found is None and isinstance(value, dict):
        found = read_tau(value.get("nll"))
    return found


def _partial(partial: Tau) -> str:
    text = (
        "What the weights add: the partial tau, the agreement that is left when what "
        f"the formula explains is taken away, is {partial.text}; 0 would be nothing."
    )
    nothing = partial.tau <= 0 or (partial.low is not None and partial.low <= 0)
    if nothing:
        text += (
            " So there is no evidence that training added anything to the formula."
            if partial.low is not None
            else " So training added nothing to the formula."
        )
    return text


def _figures(record: Record, rank: dict[str, Any]) -> list[Html]:
    """Draw what there is."""
    figures = (
        (
            scatter_figure(rank, record.ranked) if rank else None,
            "ranked",
            "Truth against estimate",
            "Each point is an architecture: how much it errs when it is trained on its "
            "own, and what is estimated without that. Points that rise from left to "
            "right are in the right order.",
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

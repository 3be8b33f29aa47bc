"""The section of the page about sub-supernets: what was split, and why."""

from collections.abc import Mapping
from typing import Any

from nas.report.distance_figure import MOST_PANELS, chosen, distance_figure
from nas.report.html import Html, framed, section, small, table, tag
from nas.report.record import Record
from nas.report.style import to_inline_svg

MOST_ROWS = 24


def partition(record: Record) -> Html:
    """Show how the supernet was split while it was trained."""
    if not record.refinements:
        return Html("")
    content: list[Html] = [tag("p", text) for text in _story(record)]
    splits = [s for r in record.refinements for s in r["splits"]]
    measured = [s for s in splits if chosen(s) is not None]
    if measured:
        svg = to_inline_svg(
            distance_figure(measured), "distances", "Gradient distances"
        )
        cut = len(measured) - MOST_PANELS
        caption = (
            "One minus the cosine between the gradients that two options give the "
            "weights they share: 0 pulls the same way, 1 across, 2 against. Options "
            "between red lines stay together. A dash has no gradient to compare."
        )
        caption += f" {cut} splits more are not shown." if cut > 0 else ""
        content.append(framed(svg, caption))
        content.append(_candidates(measured[0]))
    rows = [
        (
            str(number),
            small(
                ", ".join(f"{name} {_options(kept)}" for name, kept in narrowed.items())
            ),
        )
        for number, narrowed in enumerate(_narrowed(record)[:MOST_ROWS])
    ]
    content.append(
        table(("Sub-supernet", "What it allows, where not everything"), rows)
    )
    return section("partition", "How the supernet was split", *content)


def _story(record: Record) -> list[str]:
    lines = []
    for refinement in record.refinements:
        parts = [
            f"{s['decision']} of sub-supernet {s['sub_supernet']} into "
            + " | ".join(_options(group) for group in s["groups"])
            for s in refinement["splits"]
        ]
        lines.append(f"After step {refinement['step']}: {'; '.join(parts)}.")
    passes = sum(
        s["evidence"].get("passes", 0)
        for refinement in record.refinements
        for s in refinement["splits"]
    )
    if passes:
        lines.append(f"Measuring took {passes:,} passes forward and backward.")
    return lines


def _candidates(split: Mapping[str, Any]) -> Html:
    """Compare the decisions that the first split chose from."""
    evidence = split["evidence"]
    rows = [
        (
            c["decision"],
            small(" | ".join(_options(group) for group in c["groups"])),
            f"{c['between']:.2f}",
            f"{c['within']:.2f}",
        )
        for c in sorted(evidence["candidates"], key=lambda c: -c["between"])[:MOST_ROWS]
    ]
    title = (
        f"The first split chose among these, after {evidence['repeats']} batches; "
        f"{evidence['agreement']:.0%} of resampled batches choose the same."
    )
    head = ("Decision", "Its best groups", "Between groups", "Within groups")
    return tag("div", tag("p", title), table(head, rows))


def _narrowed(record: Record) -> list[dict[str, list[Any]]]:
    """Give, for each part, the decisions that do not allow everything."""
    everything: dict[str, list[Any]] = {}
    allowed = record.refinements[-1]["allowed"]
    for part in allowed:
        for name, options in part.items():
            known = everything.setdefault(name, [])
            known += [o for o in options if o not in known]
    return [
        {n: o for n, o in part.items() if len(o) < len(everything[n])}
        for part in allowed
    ]


def _options(options: Any) -> str:
    return ", ".join(str(option) for option in options)

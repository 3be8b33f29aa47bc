"""The members of a front: their picture, their table, and each of them drawn."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nas.report.comparison import comparison_figure, interval_of, measured_runs
from nas.report.drawing import architecture_figure
from nas.report.front_figure import front_figure, points_of
from nas.report.html import (
    Html,
    framed,
    identifier,
    join,
    link,
    section,
    small,
    table,
    tag,
)
from nas.report.record import Record, at
from nas.report.story import choices_text
from nas.report.style import short, to_inline_svg

HAND_MADE = (
    "The hand-made network scales every decision together; of that family it is the "
    "one nearest in multiply-accumulates."
)


def front(record: Record) -> Html:
    """Show the picture and the table of the front."""
    if not record.front and record.archive is None:
        return section("front", "The front", tag("p", "Nothing was searched yet."))
    evaluated = record.archive.table() if record.archive else None
    if evaluated is not None:
        evaluated = {name: v[record.feasible] for name, v in evaluated.items()}
    members = None
    cost, lead = record.cost, record.words.headline
    measured = [e for e in record.front if {cost, "error"} <= set(e["objectives"])]
    if measured:
        bounds = [e.get("interval") or [e["objectives"]["error"]] * 2 for e in measured]
        members = points_of(
            "the front (report split, 95 % interval)",
            [e["objectives"] for e in measured],
            bounds,
            cost=cost,
        )
    available = set(evaluated or members.columns if members else evaluated or ())
    qualities = sorted({"error", "nll"} & available, key=lambda name: name != lead)
    content = []
    if qualities and cost in available:
        figure = front_figure(evaluated, members, cost=cost, qualities=qualities)
        content.append(
            framed(
                to_inline_svg(figure, "front", "Error against cost of the front"),
                "Every dot is an architecture that the search measured with the shared "
                "weights, on the search split. The grey line is the best of them at "
                "each cost. Blue is what this page is about: the front, measured again "
                "on the report split. Lower and further left is better.",
            )
        )
    if record.front:
        content.append(_front_table(record))
    else:
        content.append(tag("p", "The front was not measured on the report split yet."))
    return section("front", "The front", *content)


def architectures(record: Record) -> Html:
    """Draw each member, with its files and what fine-tuning gave."""
    if record.space is None or not record.front:
        return Html("")
    parts = []
    for entry in record.front:
        subnet = entry["id"]
        content: list[Html] = []
        genotype = entry.get("genotype", [])
        if len(genotype) == record.space.num_decisions:
            figure = architecture_figure(record.space, np.asarray(genotype))
            name = "architecture-" + identifier(subnet)
            content.append(
                framed(to_inline_svg(figure, name, f"Architecture {subnet}"), "")
            )
        files = [link(f"subnets/{subnet}/{f}", f) for f in record.files.get(subnet, ())]
        if files:
            content.append(tag("p", "Files: ", join(files, ", "), class_="note"))
        runs = measured_runs(record.cards.get(subnet, {}))
        if runs:
            content.append(_comparison(record, subnet, runs))
        parts.append(
            tag(
                "section",
                tag("h3", subnet),
                *content,
                class_="member",
                id=f"subnet-{identifier(subnet)}",
            )
        )
    words = tag(
        "p",
        "Arrows are operations between nodes, bars are layers; what has no effect in "
        "an architecture is not drawn.",
        class_="caption",
    )
    return section("architectures", "The architectures", words, *parts)


def _front_table(record: Record) -> Html:
    timed = any(at(card, "latency", "median_ms") for card in record.cards.values())
    head = ["Network", "Error, 95 % interval", "NLL"]
    head += [f"Bits per {record.words.place}"] if _in_bits(record) else []
    head += ["MACs", "Parameters"]
    head += ["Latency, as searched"] if _has_latency(record) else []
    head += ["Latency of the export"] if timed else []
    head += ["Choices", "Files"]
    rows = [_front_row(record, entry, timed) for entry in record.front]
    return table(head, rows)


def _has_latency(record: Record) -> bool:
    """Say whether the latency of a device was known when the front was measured."""
    return any("latency_ms" in entry["objectives"] for entry in record.front)


def _in_bits(record: Record) -> bool:
    """Say whether losses are read in bits, as those of language models are."""
    return record.words.headline == "nll"


def _front_row(record: Record, entry: Mapping[str, Any], timed: bool) -> list[object]:
    subnet, values = entry["id"], entry["objectives"]
    error = "" if "error" not in values else f"{100 * values['error']:.2f} %"
    bounds = entry.get("interval")
    if error and isinstance(bounds, list) and len(bounds) == 2:
        error += f" [{100 * bounds[0]:.2f}, {100 * bounds[1]:.2f}]"
    nll = f"{values['nll']:.4f}" if "nll" in values else ""
    costs = [short(values[c]) if c in values else "" for c in ("macs", "params")]
    if not entry.get("remeasured", False):
        error += " (search split)"
    name = tag("a", subnet, href=f"#subnet-{identifier(subnet)}")
    if entry.get("dominated"):
        name = join([name, Html("<br>"), tag("small", "beaten by another")])
    bits = [f"{values['nll'] / math.log(2):.3f}" if nll else ""]
    row: list[object] = [name, error, nll, *(bits if _in_bits(record) else []), *costs]
    if _has_latency(record):
        known = values.get("latency_ms")
        row.append("" if known is None else f"{known:.3g} ms")
    if timed:
        median = at(record.cards.get(subnet), "latency", "median_ms")
        row.append(f"{median:.3g} ms" if median else "")
    choices = ""
    if record.space and len(entry.get("genotype", ())) == record.space.num_decisions:
        choices = choices_text(record.space, entry["genotype"])
    exported = subnet in record.files
    files = link(f"subnets/{subnet}/", "folder") if exported else "none yet"
    return [*row, small(choices), files]


def _comparison(
    record: Record, subnet: str, runs: Mapping[str, Mapping[str, Any]]
) -> Html:
    name = f"comparison-{identifier(subnet)}"
    svg = to_inline_svg(comparison_figure(runs), name, "Errors after training")
    budget = at(record.cards.get(subnet), "finetune", "budget") or ""
    rows = []
    for title, run in runs.items():
        bounds = interval_of(run)
        interval = (
            ""
            if bounds is None
            else (f" [{100 * bounds[0]:.2f}, {100 * bounds[1]:.2f}]")
        )
        macs = short(run["macs"]) if isinstance(run.get("macs"), int | float) else ""
        rows.append((title, f"{100 * run['error']:.2f} %{interval}", macs))
    return join(
        [
            framed(svg, f"{budget} {HAND_MADE}".strip()),
            table(("Weights", "Error", "MACs"), rows),
        ]
    )

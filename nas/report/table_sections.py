"""What a page says of a search in a table, where nothing was trained or measured."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas.report.front_figure import LABELS, Points, front_figure, points_of
from nas.report.html import Html, bullets, framed, join, section, small, table, tag
from nas.report.method import method_section, versions_text
from nas.report.record import Record, at
from nas.report.story import and_list, choices_text, counted, settings_text
from nas.report.style import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    STEPS,
    new_figure,
    percent_axis,
    short,
    styled,
    to_inline_svg,
)

REGRETS = {"search/regret": "reported", "search/regret_deciding": "by what decides"}


def is_table(record: Record) -> bool:
    """Whether a run searched a table, and trained nothing."""
    return isinstance(at(record.config, "table"), dict)


def opening(record: Record) -> Html:
    """Say what was searched, and how far from the best the search ended."""
    found, config = _facts(record), record.config
    controller = at(config, "search", "controller", "class") or "unknown means"
    objectives = and_list([_title(name) for name in record.objectives])
    number = len(record.archive) if record.archive else 0
    texts = [
        f"{number:,} of {counted(int(found['architectures']))} architectures of the "
        f"table {found['name']} were looked up, the latest by {controller}, for "
        f"{objectives}. Nothing was trained: all of them were before.",
        f"The search decided by {_seeds(found['decide'])}, without noise; the errors "
        f"below are the mean of {_seeds(found['report'])}, which chose nothing.",
    ]
    regret = record.curves.get("search/regret")
    if regret is not None and len(regret[1]):
        texts.append(
            f"What it would choose errs {100 * regret[1][-1]:.2f} points more than the "
            "best of the table, where choosing by another seed alone costs something."
        )
    if found.get("left_out"):
        texts.append(
            f"{found['left_out']:,} architectures have no seed to report by, and were "
            "left out."
        )
    notes = [note for note in record.notes if "exported" not in note]
    parts: list[Html] = [tag("p", text) for text in texts]
    return join([*parts, *(tag("p", note, class_="note") for note in notes)])


def front(record: Record) -> Html:
    """Show what was looked up, and the front by the seeds that decided nothing."""
    if not record.front or record.archive is None:
        return section("front", "The front", tag("p", "Nothing was searched yet."))
    others = [name for name in record.objectives if name != "error"]
    cost = others[0] if others else "macs"
    entries = [e for e in record.front if {cost, "error"} <= set(e["objectives"])]
    content: list[Html] = []
    if entries and cost in record.archive.columns:
        seen = {n: v[record.feasible] for n, v in record.archive.table().items()}
        looked_up = Points(
            f"looked up ({len(seen['error'])}; seeds that decide)",
            {name: seen[name] for name in ("error", cost)},
            colour=FAINT,
            marker=".",
            line="",
            fits=False,
        )
        members = points_of(
            "the front (seeds that decide nothing, 95 % interval)",
            [e["objectives"] for e in entries],
            [e["interval"] for e in entries],
            cost=cost,
        )
        figure = front_figure(
            None, members, [looked_up], cost, ("error",), size=(6.4, 3.7)
        )
        caption = (
            "Dots are what the search saw. Blue is its front by other trainings of the "
            "same architectures. Lower and further left is better."
        )
        svg = to_inline_svg(figure, "front", "Error against cost of the front")
        content.append(framed(svg, caption))
    return section("front", "The front", *content, _members(record))


def regrets(record: Record) -> Html:
    """Show the regret after each look-up."""
    curves = {name: record.curves[name] for name in REGRETS if name in record.curves}
    if not curves:
        return Html("")
    svg = to_inline_svg(regret_figure(curves), "regret", "Regret over look-ups")
    caption = (
        "How much more the architecture of the least deciding error so far errs than "
        "the best of the table. By what decides a search can reach zero. Reported, the "
        "best is the luckiest of many means of a few seeds, and what decides is one "
        "seed: the curve may rise, and rarely ends at zero."
    )
    return section("regret", "Regret", framed(svg, caption))


@styled
def regret_figure(curves: Any) -> Figure:
    """Draw regrets of the latest search over its look-ups.

    Args:
      curves: steps and values by the name of the scalar.

    Returns:
      The figure.
    """
    figure = new_figure(5.6, 3.1)
    axes = figure.add_subplot()
    for name, colour in zip(REGRETS, (BLUE, MUTED), strict=True):
        if name not in curves:
            continue
        steps, values = curves[name]
        # Each search counts its steps anew.
        begin = max(place for place, step in enumerate(steps) if step == steps.min())
        axes.step(
            steps[begin:],
            values[begin:],
            where="post",
            color=colour,
            label=REGRETS[name],
        )
    axes.set_xlabel("look-ups of the latest search")
    axes.set_ylabel("regret (percentage points)")
    axes.set_ylim(bottom=0)
    percent_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS))
    axes.legend(labelcolor=INK)
    return figure


def next_steps(record: Record) -> Html:
    """Say what one could type now."""
    rows = [
        ("nas search . --controller random", "what every controller has to beat"),
        ("nas search --help", "lists the controllers, each with a line"),
        ("tensorboard --logdir .", "all curves, and the front as it grew"),
    ]
    commands = table(
        ("Command", "What it does"),
        [(tag("code", command), small(text)) for command, text in rows],
    )
    hint = tag("p", "In the folder of this page. A later search goes on from its rows.")
    return section("next", "What to do next", hint, commands)


def method(record: Record) -> Html:
    """Say how the numbers came about, with every setting."""
    config, found = record.config, _facts(record)
    sentences = [
        "An evaluation is a look-up: the same architecture always gives the same "
        "number, and is counted once. Costs are known before it is looked up.",
        "Intervals of 95 % are of the spread between trainings, pooled over the "
        "architectures nearest in error; that all trainings share their test examples "
        "is no part of them.",
        *([str(found["note"])] if found.get("note") else []),
    ]
    facts = [
        ("Table", f"{found['name']}, hash {found.get('hash', 'unknown')}"),
        ("Seed of the search", config.get("seed", "unknown")),
        ("Controller", small(settings_text(at(config, "search", "controller")))),
        ("Versions", versions_text(config)),
    ]
    settings = {name: value for name, value in config.items() if name != "supernet"}
    return method_section(
        sentences, facts, "Every setting but the space (config.json)", settings
    )


def limits(record: Record) -> Html:
    """Say what the numbers do not mean."""
    points = [
        "A table says what controllers find in it. It says nothing about how well a "
        "supernet would have estimated the same architectures.",
        "One seed decides the search. Controllers are compared over many seeds only.",
        "The least reported error of the table is itself the least of noisy means.",
    ]
    return section("limits", "Limits", bullets(points))


def _members(record: Record) -> Html:
    costs = [name for name in record.objectives if name not in ("error", "nll")]
    names = list(dict.fromkeys(["macs", "params", *costs]))
    head = ["Network", "Error, 95 % interval", *map(_title, names), "Choices"]
    rows = []
    for entry in record.front:
        values, bounds = entry["objectives"], entry.get("interval") or (0, 0)
        error = (
            f"{100 * values['error']:.2f} % [{100 * bounds[0]:.2f}, "
            f"{100 * bounds[1]:.2f}]"
        )
        beaten = " (beaten by another)" if entry.get("dominated") else ""
        choices = ""
        if record.space is not None:
            choices = choices_text(record.space, entry["genotype"])
        cells = [short(values[name]) if name in values else "" for name in names]
        rows.append([entry["id"] + beaten, error, *cells, small(choices)])
    return table(head, rows)


def _facts(record: Record) -> dict[str, Any]:
    unknown = {"name": "unknown", "architectures": 0, "decide": [], "report": []}
    return unknown | dict(at(record.config, "table") or {})


def _title(name: str) -> str:
    return LABELS.get(name, name).replace(" (%)", "").replace(" of one example", "")


def _seeds(seeds: list[int]) -> str:
    words = [str(seed) for seed in seeds]
    return f"seed{'s' if len(words) > 1 else ''} {and_list(words)}"

"""The sections of the page around the front, each a function of a record."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nas.report.curves import TRAINING, hypervolume_figure, training_figure
from nas.report.health import alarms
from nas.report.heat_map import options_figure
from nas.report.html import Html, bullets, framed, join, section, small, table, tag
from nas.report.method import method_section, versions_text
from nas.report.ranking import watched
from nas.report.record import Record, at
from nas.report.story import (
    WORDS,
    and_list,
    settings_text,
    summary,
)
from nas.report.style import to_inline_svg

# Rows of the sampler's heat map; more decisions than these are cut off, and that said.
MOST_ROWS = 40


def opening(record: Record) -> Html:
    """Say what happened, and what looks wrong."""
    found = alarms(record)
    parts: list[Html] = [tag("p", text) for text in summary(record)]
    if found:
        inside = join([tag("h3", "Look at this first"), bullets(found)])
        parts.append(tag("div", inside, class_="alarm"))
    parts += [tag("p", note, class_="note") for note in record.notes]
    return join(parts)


def search(record: Record) -> Html:
    """Show how the front grew."""
    if not record.hypervolumes:
        return Html("")
    figure = hypervolume_figure(record.hypervolumes)
    names = and_list([WORDS.get(name, name) for name in record.objectives])
    caption = (
        f"Hypervolume: how much of the box between the best values and a corner the "
        f"front of {names} covers. In each objective the corner leaves out the worst "
        "tenth of all that was measured. A curve that is flat at its end means that "
        "searching on would gain little. A search starts from what those before it "
        "found."
    )
    svg = to_inline_svg(figure, "hypervolume", "Hypervolume over evaluations")
    return section("search", "How the search went", framed(svg, caption))


def training(record: Record) -> Html:
    """Show whether the supernet was trained well."""
    content: list[Html] = []
    curves = {n: record.curves[n] for n, _ in TRAINING if n in record.curves}
    if curves:
        svg = to_inline_svg(training_figure(curves), "training", "Training curves")
        caption = (
            "Means over the architectures that each step happened to train. As these "
            "differ in strength, the curves are rougher than those of one network."
        )
        content.append(framed(svg, caption))
    if record.shares:
        shown = dict(list(record.shares.items())[:MOST_ROWS])
        svg = to_inline_svg(options_figure(shown), "options", "Sampled options")
        cut = len(record.shares) - len(shown)
        caption = (
            "How often training took each option. A decision without effect in an "
            "architecture counts as its first option."
        )
        caption += f" {cut} decisions more are not shown." if cut else ""
        content.append(framed(svg, caption))
    content += watched(record)
    if not content:
        return Html("")
    return section("training", "How the training went", *content)


def next_steps(record: Record) -> Html:
    """Say what one could type now, in the folder of this page."""
    config = record.config
    experiment = at(config, "command", "experiment") or config.get("name", "EXPERIMENT")
    best = record.front[0]["id"] if record.front else None
    rows = []
    if best and record.files.get(best):
        folder = f"subnets/{best}"
        rows.append(
            (
                f"python {folder}/predict.py {record.words.argument}",
                f"{record.words.predicts}; needs JAX, not this package",
            )
        )
        rows.append(
            (
                f"nas finetune . --subnet {best} --also-scratch",
                "train this network on, and compare with training it from "
                "scratch and with a uniformly scaled network",
            )
        )
    elif best:
        rows.append(("nas export .", "write the networks of the front as files"))
    if record.archive is not None:
        rows.append(
            (
                f"nas search . --where 'macs<={_middle(record):.0f}'",
                "search the same supernet again under a limit, without training",
            )
        )
        rows.append(
            (
                "nas search . --controller random",
                "the baseline that a search has to beat",
            )
        )
    else:
        rows.append(("nas run .", "go on with this run"))
    rows.append(("tensorboard --logdir .", "all curves, and the front as it grew"))
    commands = table(
        ("Command", "What it does"),
        [(tag("code", command), small(text)) for command, text in rows],
    )
    hint = tag(
        "p",
        "In the folder of this page. If the experiment is a file of your own, name it "
        "before the options, and give the folder as --workdir: ",
        tag("code", f"nas search {experiment} --workdir ."),
    )
    return section("next", "What to do next", hint, commands)


def method(record: Record) -> Html:
    """Say how the numbers came about, with every setting."""
    config, words = record.config, record.words
    # The cards know one of the sizes even where the settings do not.
    counts = ("num_images", "num_windows")
    known = [c[n] for c in record.cards.values() for n in counts if n in c]
    sizes = {"report": known[0]} if known else {}
    sizes |= at(config, "split_sizes") or {}
    parts = [
        f"{name} {sizes[name]:,}"
        for name in ("weights", "search", "report")
        if isinstance(sizes.get(name), int)
    ]
    counted = f" ({', '.join(parts)} {words.examples})" if parts else ""
    sentences = [
        f"Three splits share no {words.place}{counted}: the weights split trains, the "
        "search split chooses, the report split measures what is reported.",
        f"Errors come with {words.interval}. Negative log-likelihood is the mean over "
        f"{words.places}, in nats. Multiply-accumulates are of one {words.example}, "
        "without additions of biases and without activations.",
        "Batch normalisation, where there is any, uses statistics of the weights split "
        "that are taken for each architecture.",
    ]
    latency = next(
        (c["latency"] for c in record.cards.values() if at(c, "latency", "median_ms")),
        None,
    )
    if latency:
        sentences.append(
            f"Latency is the median of {latency.get('num_runs', 'several')} runs of "
            f"the exported program on one {words.example}, on "
            f"{latency.get('device', 'a device')} ({latency.get('machine', '')}, "
            f"{latency.get('num_cpus', '?')} CPUs); it holds for that machine only."
        )
    relative = [
        float(check["relative"])
        for parity in record.parities.values()
        for check in (parity.get("checks") or {}).values()
        if isinstance(at(check, "relative"), int | float)
    ]
    if relative:
        sentences.append(
            f"Each exported file was run again and compared with the supernet: the "
            f"largest relative difference of a logit was {max(relative):.1e}."
        )
    facts = [
        ("Seed", config.get("seed", "unknown")),
        ("Precision", config.get("precision", "unknown")),
        ("Device", config.get("backend", "unknown")),
        ("Versions", versions_text(config)),
        ("Space hash", config.get("space_hash", "unknown")),
    ]
    facts += [
        (part.capitalize(), small(settings_text(config[part])))
        for part in ("optimizer", "strategy", "training", "evaluation")
        if part in config
    ]
    if at(config, "search", "controller"):
        text = settings_text(config["search"]["controller"])
        facts.append(("Controller", small(text)))
    return method_section(
        sentences, facts, "Every setting (config.json)", _without_options(config)
    )


def limits(record: Record) -> Html:
    """Say what the numbers do not mean."""
    points = [
        "Errors are those of shared weights. A member trained on its own, or "
        "fine-tuned, usually does better, and the order of two members may change.",
        "The front is that of the architectures that were measured, not of the space.",
        "One seed decides training, search and splits. How much results vary shows "
        "only when the run is repeated with other seeds.",
    ]
    known = [entry["objectives"].get("latency_ms") for entry in record.front]
    points.append(
        "Latency, as searched, is in general what a model predicts of one device, with "
        "the error that latency.json tells where it was measured here."
        if any(value is not None for value in known)
        else "Multiply-accumulates are no time: measure latency on the target device, "
        "with nas profile --latency."
    )
    if at(record.config, "input_shape"):
        points.append(
            f"The report split resembles the training {record.words.examples}. Others "
            "may be answered worse."
        )
    return section("limits", "Limits", bullets(points))


def _middle(record: Record) -> float:
    """Give a limit on the multiply-accumulates that halves what was measured."""
    archive = record.archive
    if archive is None or "macs" not in archive.columns:
        return 2e6
    return float(np.median(archive.column("macs")))


def _without_options(config: Mapping[str, Any]) -> Any:
    """Shorten the space, whose decisions would fill pages."""

    def shorten(value: Any) -> Any:
        if isinstance(value, Mapping):
            if "decisions" in value and "schema" in value:
                return {d["name"]: d["options"] for d in value["decisions"]}
            return {key: shorten(item) for key, item in value.items()}
        return [shorten(item) for item in value] if isinstance(value, list) else value

    return shorten(config)

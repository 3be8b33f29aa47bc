"""A run in plain sentences, for somebody who was not there."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nas.report.drawing import layout_of
from nas.report.record import Record, at
from nas.report.style import short
from search_spaces import SearchSpace

WORDS = {
    "nll": "negative log-likelihood",
    "error": "error",
    "macs": "multiply-accumulates",
    "params": "parameters",
    "bytes": "bytes of weights",
    "latency_ms": "milliseconds",
}
TIMES = "\N{MULTIPLICATION SIGN}"
# Settings that are objects elsewhere in the page, or long.
_NOT_IN_BRACKETS = ("space", "class")


def and_list(words: Sequence[str]) -> str:
    """Join as people do: a, b and c."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(number: int) -> str:
    """Write a count: exactly while that can be read, in powers of ten beyond."""
    if number < 10**9:
        return f"{number:,}"
    exponent = len(str(number)) - 1
    return f"about {number // 10 ** (exponent - 1) / 10:g} {TIMES} 10^{exponent}"


def settings_text(settings: Any) -> str:
    """Write a part with its settings: `SGD (learning_rate 0.05, nesterov false)`."""
    if isinstance(settings, Mapping):
        fields = [
            f"{name} {settings_text(value)}"
            for name, value in settings.items()
            if name not in _NOT_IN_BRACKETS and value is not None
        ]
        inside = f" ({', '.join(fields)})" if fields else ""
        return f"{settings.get('class', '')}{inside}".strip()
    if isinstance(settings, list):
        separator = TIMES if all(isinstance(item, int) for item in settings) else ", "
        return separator.join(settings_text(item) for item in settings) or "none"
    if isinstance(settings, bool):
        return "true" if settings else "false"
    return f"{settings:g}" if isinstance(settings, float) else str(settings)


def choices_text(space: SearchSpace, genotype: Sequence[int]) -> str:
    """Write an architecture in a line: decisions without effect are left out.

    Args:
      space: what names its decisions.
      genotype: `int[D]`.

    Returns:
      Such as `embed 48; heads 2, 1, 4`.
    """
    row = space.canonical(space.validate(np.asarray(genotype)))
    alive = dict(zip(space.names, space.alive(row).tolist(), strict=True))
    choices = {name: o for name, o in space.decode(row).items() if alive[name]}
    layout = layout_of(space.names)
    parts = [f"{name} {choices[name]}" for name in layout.plain if name in choices]
    for prefix, edges in layout.edges.items():
        arcs = [f"{i}→{j} {choices[n]}" for (i, j), n in edges.items() if n in choices]
        parts.append(f"{prefix} " + ", ".join(arcs))
    for prefix, layers in layout.layers.items():
        listed = [str(choices[name]) for name in layers.values() if name in choices]
        parts.append(f"{prefix.replace('_', ' ')} " + ", ".join(listed))
    return "; ".join(parts)


def summary(record: Record) -> list[str]:
    """Say what was searched, how, and what came out.

    Args:
      record: of a workdir.

    Returns:
      Sentences, the most important ones first.
    """
    parts = (_outcome, _space, _training, _search, _remeasured)
    return [text for part in parts for text in (part(record),) if text]


def _outcome(record: Record) -> str:
    if not record.front:
        return ""
    objectives = [entry["objectives"] for entry in record.front]
    costs = [o[record.cost] for o in objectives if record.cost in o]
    errors = [o["error"] for o in objectives if "error" in o]
    if not costs or not errors:
        return f"The result is {len(record.front)} networks."
    num, cost = len(record.front), WORDS[record.cost]
    if record.cost == "macs":
        cost += f" for one {record.words.example}"
    if num == 1:
        return (
            f"The result is one network: {100 * errors[0]:.1f} % error at "
            f"{short(costs[0])} {cost}{_bits(record)}."
        )
    return (
        f"The result is {num} networks between {short(min(costs))} and "
        f"{short(max(costs))} {cost}, with errors between {100 * min(errors):.1f} % "
        f"and {100 * max(errors):.1f} %{_bits(record)}."
    )


def _bits(record: Record) -> str:
    """Say the losses as those of language models are said."""
    if record.words.headline != "nll":
        return ""
    objectives = [entry["objectives"] for entry in record.front]
    bits = [o["nll"] / math.log(2) for o in objectives if "nll" in o]
    if not bits:
        return ""
    low, high = f"{min(bits):.2f}", f"{max(bits):.2f}"
    span = low if low == high else f"{low} to {high}"
    return f" and losses of {span} bits a {record.words.place}"


def _space(record: Record) -> str:
    config, space = record.config, record.space
    data = at(config, "data", "class") or "the data"
    shape = config.get("input_shape")
    size = settings_text(shape) if isinstance(shape, list) else "unknown size"
    classes = config.get("num_classes", "several")
    task = record.words.task.format(shape=size, data=data, classes=classes)
    if space is None:
        return task
    listed = [f"{d.name} ({len(d.options)})" for d in space.decisions[:6]]
    more = ", .." if len(space.decisions) > 6 else ""
    return (
        f"{task} The search space {space.name} has {space.num_decisions} decisions "
        f"({', '.join(listed)}{more}; in brackets, how many options) and "
        f"{counted(space.size)} architectures."
    )


def _training(record: Record) -> str:
    config = record.config
    training = at(config, "training")
    if not isinstance(training, Mapping):
        return ""
    text = (
        f"One supernet, {at(config, 'supernet', 'class')}, holds the weights of all of "
        f"them. It was trained once, for {training.get('steps'):,} steps of "
        f"{training.get('batch_size')} {record.words.examples}, by "
        f"{_kind(config.get('optimizer'))}; each step trained "
        f"{_paths(config.get('strategy'))}."
    )
    if "train/accuracy" in record.curves:
        accuracy = record.curves["train/accuracy"][1][-1]
        text += f" At the end it got {100 * accuracy:.1f} % of its batches right."
    return text


def _search(record: Record) -> str:
    if record.archive is None:
        return ""
    _, _, numbers = record.archive.rows_in_use()
    searches = len(np.unique(numbers))
    objectives = [WORDS.get(name, name) for name in record.objectives]
    where = at(record.config, "search", "where") or []
    limits = f" under {and_list(where)}" if where else ""
    times = f" in {searches} searches" if searches > 1 else ""
    share = ""
    if record.space is not None:
        fraction = len(record.archive) / record.space.size
        share = f" ({_percent(fraction)} of the space)"
    return (
        f"With these weights, {len(record.archive):,} architectures{share} were "
        f"measured{times} on {record.words.examples} that trained nothing. The latest "
        f"search was by "
        f"{_kind(at(record.config, 'search', 'controller'))}, for "
        f"{and_list(objectives)}{limits}; it left {len(record.searched_front)} that no "
        "other beats in everything."
    )


def _remeasured(record: Record) -> str:
    if not any(entry.get("remeasured") for entry in record.front):
        return ""
    filled = sum(bool(entry.get("dominated")) for entry in record.front)
    text = (
        "The networks below were measured again on the report split, which neither "
        "trained nor chose anything: its numbers are the ones to quote."
    )
    if filled:
        text += (
            f" {filled} of them {'is' if filled == 1 else 'are'} beaten by another and "
            f"{'fills' if filled == 1 else 'fill'} up a short front."
        )
    return text


def _kind(settings: Any) -> str:
    return str(at(settings, "class") or "unknown means")


def _paths(strategy: Any) -> str:
    """Say what a step trained, as far as the settings tell without knowing the part."""
    number = at(strategy, "sampler", "paths")
    sampler = at(strategy, "sampler", "class")
    if not isinstance(number, int) or not sampler:
        return f"what the strategy {_kind(strategy)} chose"
    ones = "one architecture" if number == 1 else f"{number} architectures"
    return f"{ones}, drawn by the sampler {sampler}"


def _percent(fraction: float) -> str:
    if fraction >= 0.001:
        return f"{100 * fraction:.3g} %"
    return f"a share of 10^{math.floor(math.log10(fraction))}" if fraction else "none"

"""`compare.html`: methods side by side, on one self-contained page."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from nas.comparison.budgets import TITLES
from nas.comparison.intervals import METHOD, Interval
from nas.comparison.outcomes import CEILING
from nas.comparison.pairing import Row
from nas.comparison.quantities import by_name
from nas.comparison.result import Comparison, bands_of, drawn_curve, growths_of
from nas.report.html import Html, bullets, framed, identifier, join, section, table, tag
from nas.report.overlay import budget_figure, paired_figure
from nas.report.page import document
from nas.report.style import short, to_inline_svg

LABELS = {
    "rank/tau_nll": "Kendall's tau-b",
    "train/loss": "training loss (nats)",
}


def comparison_figures(found: Comparison, budget: str) -> dict[str, Figure]:
    """Draw a comparison.

    Args:
      found: the comparison.
      budget: what curves run along, a name of `TITLES`.

    Returns:
      Figures by name: `curves` if there is a curve, `growths` if there were searches,
      and one for each quantity.
    """
    figures = {}
    scalar = drawn_curve(found)
    if scalar is not None:
        bands = bands_of(found, scalar, budget)
        if bands:
            labels = (TITLES[budget], LABELS[scalar])
            lines = _lines(found) if scalar.startswith("rank/") else {}
            figures["curves"] = budget_figure(bands, found.baseline, labels, lines)
    growths = growths_of(found)
    if growths:
        labels = (
            "evaluations, and what controllers are charged besides",
            "hypervolume of the front, one box for all",
        )
        figures["growths"] = budget_figure(growths, found.baseline, labels)
    for name, rows in found.tables.items():
        lines = _lines(found) if name == "tau" else {}
        title = by_name()[name].title
        figures[name] = paired_figure(rows, found.baseline, title, lines)
    return figures


def comparison_page(found: Comparison, figures: Mapping[str, Figure]) -> str:
    """Write the page.

    Args:
      found: the comparison.
      figures: by the name of the quantity, and `curves`.

    Returns:
      HTML, always the same for the same comparison.
    """
    title = f"Comparison of {len(found.variants)} methods"
    num = len(found.outcomes)
    opening = tag(
        "p",
        f"{num} finished {'run' if num == 1 else 'runs'} of "
        f"{', '.join(found.folders)}. Intervals: {METHOD}. Each is of one comparison "
        "by itself: of twenty methods that differ in nothing, one is expected to leave "
        "out 0.",
    )
    parts = [tag("h1", title), opening]
    if found.notes:
        parts.append(tag("div", bullets(found.notes), class_="alarm"))
    if "curves" in figures:
        caption = (
            f"Means over seeds with their 95 % intervals; {found.baseline} dashed."
        )
        parts.append(
            section("curves", "Along the budget", _framed(figures, "curves", caption))
        )
    if "growths" in figures:
        caption = (
            "Hypervolume of the front of all that was evaluated so far, by what the "
            "searches saw, in the box of all their last fronts; along the budget, in "
            "evaluations. Means over seeds with "
            f"their 95 % intervals; {found.baseline} dashed."
        )
        parts.append(
            section(
                "growths", "Fronts as they grew", _framed(figures, "growths", caption)
            )
        )
    for name, rows in found.tables.items():
        parts.append(_quantity(found, name, rows, figures))
    parts.append(section("budgets", "Budgets", budget_table(found)))
    if found.references:
        lines = [(name, f"{value:.3f}") for name, value in found.references.items()]
        parts.append(section("references", "Tau without training", table((), lines)))
    if found.made:
        parts.append(section("made", "How it was made", bullets(_made(found.made))))
    return document(title, join(parts, "\n"))


def _made(made: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write each command with when and where it ran."""
    known = ("date", "device", "machine")
    return [
        ", ".join(
            [str(one.get("command", "?")), *(str(one[k]) for k in known if k in one)]
        )
        for one in made
    ]


def cells(row: Row) -> list[str]:
    """Write a row for people: method, seeds, mean, interval, difference, wins."""
    found = row.difference
    return [
        row.variant,
        str(row.mean.n),
        f"{row.mean.mean:.4g}",
        between(row.mean),
        "" if found is None else f"{found.mean:+.4g}",
        "" if found is None else between(found, "+"),
        "" if found is None else f"{row.wins} of {found.n}",
    ]


def heads(baseline: str | None) -> list[str]:
    """Give the headings of `cells`."""
    return [
        "method",
        "seeds",
        "mean",
        "95 % interval",
        f"minus {baseline}",
        "95 % interval",
        "wins",
    ]


def between(found: Interval, sign: str = "") -> str:
    """Write the bounds of an interval, `none` without any."""
    if found.low is None or found.high is None:
        return "none"
    return f"{found.low:{sign}.4g} to {found.high:{sign}.4g}"


def budget_table(found: Comparison) -> Html:
    """Write the budgets, with each as a multiple of the baseline's."""
    names = [
        name for name in TITLES if any(name in own for own in found.budgets.values())
    ]
    reference = found.budgets.get(found.baseline or "", {})
    rows = []
    for variant, own in found.budgets.items():
        row = [variant]
        for name in names:
            row.append(amount(own.get(name), reference.get(name)))
        rows.append(row)
    return table(["method", *(TITLES[name] for name in names)], rows)


def amount(found: Interval | None, reference: Interval | None) -> str:
    """Write a budget, and how many times the baseline's it is."""
    if found is None:
        return "unknown"
    text = short(found.mean)
    if reference is None or not reference.mean:
        return text
    return f"{text} ({found.mean / reference.mean:.2f}x)"


def _quantity(
    found: Comparison,
    name: str,
    rows: Sequence[Row],
    figures: Mapping[str, Figure],
) -> Html:
    quantity = by_name()[name]
    better = "Higher" if quantity.better > 0 else "Lower"
    caption = f"{better} is better. A dot is a seed, a diamond the mean."
    return section(
        identifier(name),
        quantity.title,
        _framed(figures, name, caption) if name in figures else "",
        table(heads(found.baseline), map(cells, rows)),
    )


def _framed(figures: Mapping[str, Figure], name: str, caption: str) -> Html:
    return framed(to_inline_svg(figures[name], identifier(name), caption), caption)


def _lines(found: Comparison) -> dict[str, float]:
    """Choose what methods are held against: the best baseline, and the truth itself.

    All baselines together would hide the methods; the table has them.
    """
    shown = [name for name in found.references if name != CEILING][:1]
    shown += [name for name in found.references if name == CEILING]
    return {name.replace("_", " "): found.references[name] for name in shown}

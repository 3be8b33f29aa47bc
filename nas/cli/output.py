"""What a command prints: tables on a terminal, lines for other programs elsewhere."""

import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from nas.data.kinds import Words
    from nas.runtime.workdir import Workdir
    from nas.stages.front import Member

_WIDTH = 120
# How each number of a front is written, and called.
_NUMBERS = {
    "nll": ("NLL", ".4f"),
    "macs": ("MACs", ",.0f"),
    "params": ("parameters", ",.0f"),
    "latency_ms": ("latency, ms", ".4g"),
}


def say(message: str) -> None:
    """Print a line for a person."""
    console().print(message, markup=False, highlight=False, soft_wrap=True)


def tell(message: str) -> None:
    """Say something once, however many processes there are."""
    from nas.runtime.processes import is_main

    if is_main():
        say(message)


def short_path(path: Path) -> str:
    """Write a path as one would type it here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def outdate(workdir: "Workdir | None") -> None:
    """Remove the page that would say something else than the folder."""
    from nas.runtime.processes import is_main

    if workdir is not None and is_main():
        workdir.report.unlink(missing_ok=True)


def report(workdir: "Workdir | None") -> None:
    """Write the page that explains a run."""
    from nas.report import write_report
    from nas.runtime.processes import is_main

    if workdir is not None and is_main():
        write_report(workdir.path)


def console(stderr: bool = False) -> "Console":
    """Make the console that everything is printed on."""
    import rich.console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDTH
    return rich.console.Console(stderr=stderr, width=width)


def complain(message: str) -> None:
    """Print what went wrong, on standard error."""
    from rich.text import Text

    text = Text.assemble(("nas: ", "bold red"), message)
    console(stderr=True).print(text, soft_wrap=True)


def print_list(title: str, rows: Mapping[str, str]) -> None:
    """Print names with a text each.

    Args:
      title: above the names, on a terminal.
      rows: text by name. Off a terminal, a line has the name, a tab and the text.
    """
    if not sys.stdout.isatty():
        for name, text in rows.items():
            print(f"{name}\t{text}")
        return
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("what it is")
    for name, text in rows.items():
        table.add_row(name, text)
    console().print(table)


def print_pairs(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print findings, one a line, under a title."""
    print_list(title, dict(rows))


def print_front(
    members: Sequence["Member"],
    title: str,
    objectives: Sequence[str] = (),
    decided: str = "on the search split",
) -> None:
    """Print a front as a table.

    Args:
      members: measured on the report split.
      title: above the table.
      objectives: what was searched by, of which each gets a column.
      decided: by what the search told better from worse.
    """
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("id", style="bold", no_wrap=True)
    measured = members[0].objectives if members else {}
    names = dict.fromkeys([*_NUMBERS, *objectives])
    names = [name for name in names if name in measured and name != "error"]
    titles = [_NUMBERS.get(name, (name,))[0] for name in names]
    for column in ("error", "95 % interval", *titles):
        table.add_column(column, justify="right", no_wrap=True)
    for member in members:
        low, high = member.interval
        values = member.objectives
        table.add_row(
            member.id + (" *" if member.dominated else ""),
            f"{values['error']:.2%}",
            f"{low:.2%} to {high:.2%}",
            *(f"{values[name]:{_NUMBERS.get(name, ('', '.4g'))[1]}}" for name in names),
        )
    console().print(table)
    if any(member.dominated for member in members):
        say(f"* behind another one {decided}; fills the front up to three.")


def print_ranking(found: Mapping[str, Any], sentences: Sequence[str]) -> None:
    """Print how well a supernet ranks, next to what trains nothing.

    Args:
      found: what `rank.json` holds.
      sentences: the same in words.
    """
    rows = {
        "the supernet, by NLL": found["by"]["nll"],
        "the supernet, by error": found["by"]["error"],
        **found["baselines"],
    }
    texts = {name: _tau(value) for name, value in rows.items()}
    ceiling = found["ceiling"]["seed_to_seed"]
    if ceiling is not None:
        texts["the truth's seeds with each other"] = f"{ceiling:.3f}"
    print_list(f"Kendall's tau-b on {found['n']} architectures", texts)
    for sentence in sentences:
        say(sentence)


def _tau(value: Mapping[str, Any]) -> str:
    if value["tau"] is None:
        return "none: all are estimated alike"
    if value.get("low") is None:
        return f"{value['tau']:.3f}"
    return f"{value['tau']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def print_places(workdir: Path) -> None:
    """Say where the results of a run are and how to open them."""
    report = workdir / "report.html"
    if report.exists():
        say(f"Report       {report}")
        say("             open it in a browser")
    say(f"TensorBoard  {workdir}")
    say(f"             tensorboard --logdir {workdir}")
    if importlib.util.find_spec("tensorboard") is None:
        say("             (not installed here: pip install tensorboard)")
    subnets = workdir / "subnets"
    if subnets.is_dir() and any(subnets.iterdir()):
        first = min(path.name for path in subnets.iterdir() if path.is_dir())
        say(f"Networks     {subnets}")
        argument = _words(workdir).argument
        say(f"             python {subnets / first / 'predict.py'} {argument}")


def _words(workdir: Path) -> "Words":
    """Give what people call the examples of a run."""
    from nas.data.kinds import words_of

    try:
        config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
        return words_of(config.get("inputs"))
    except (OSError, ValueError, AttributeError):
        return words_of(None)

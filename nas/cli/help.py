"""The texts that help: the first screen, and that of each stage."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence

from nas.cli.arguments import Option
from nas.cli.controllers import known_controllers
from nas.cli.session import Session
from nas.cli.stages import CONTROLLER, STAGES, Stage

_TRY = (
    ("nas run digits_cells", "the whole job on embedded data, about 3 minutes"),
    ("nas run vit_tiny --data ./photos", "your own images, one folder for each class"),
    ("nas run text_gpt --data.path my.txt", "your own text, character by character"),
    ("nas run digits_cells --help", "every setting, explained"),
)


def first_screen() -> str:
    """Say what `nas` is and what one could type next."""
    stages = _rows([(stage.name, stage.text) for stage in STAGES])
    return "\n".join(
        [
            "nas: train one network that holds thousands of architectures, search it,",
            "and take home the ones that are best for their cost, with their weights.",
            "",
            "Usage: nas STAGE [EXPERIMENT] [--workdir DIR] [--setting VALUE ..]",
            "",
            "Stages",
            *stages,
            "",
            "Try",
            *_rows(list(_TRY)),
            "",
            "EXPERIMENT is a name (nas experiments), the path of your own file that",
            "defines experiment = .., or the workdir of an earlier run.",
            "",
        ]
    )


def stage_help(stage: Stage, session: Session | None = None) -> str:
    """Explain a stage.

    Args:
      stage: which.
      session: of the experiment whose settings are listed too, if one was named.
    """
    takes = f" {stage.takes}" if stage.takes else ""
    settings = " [--setting VALUE ..]" if stage.takes and stage.settings else ""
    options = " [OPTIONS]" if stage.options else ""
    lines = [f"Usage: nas {stage.name}{takes}{options}{settings}", ""]
    details = stage.details.format(stage=stage.name)
    if session is not None:
        details = details.partition("The list is in:")[0].strip()
    lines += _wrap(f"{stage.text}. {details}".strip(), "")
    if stage.options:
        lines += ["", "Options", *_option_rows(stage.options)]
        lines += _rows([("--help", "Show this")], _width(stage.options))
    if CONTROLLER in stage.options:
        rows = list(known_controllers().items())
        lines += ["", "Controllers (--controller NAME)", *_rows(rows)]
    if session is not None:
        lines += ["", *_settings(session)]
    if stage.examples:
        lines += ["", "Examples", *(f"  {example}" for example in stage.examples)]
    return "\n".join([*lines, ""])


def _settings(session: Session) -> Iterable[str]:
    """List the settings of an experiment: type, value and meaning of each."""
    from nas.cli.overrides import settings

    yield f"Experiment {session.experiment.name}"
    yield from _wrap(session.note.partition("\n\n")[0], "  ")
    yield ""
    yield "Settings (--name VALUE; here with the value that they have)"
    for setting in settings(session.experiment):
        yield f"  --{setting.path} {setting.shown}".rstrip()
        text = setting.text.rstrip(".")
        meaning = f"{text[:1].upper()}{text[1:]} ({setting.type_name})"
        yield from _wrap(meaning if text else f"({setting.type_name})", "      ")


def _option_rows(options: Sequence[Option]) -> list[str]:
    rows = [(f"--{o.name} {o.value}".rstrip(), o.text) for o in options]
    return _rows(rows, _width(options))


def _width(options: Sequence[Option]) -> int:
    return max(len(f"--{o.name} {o.value}".rstrip()) for o in options)


def _rows(rows: Sequence[tuple[str, str]], width: int = 0) -> list[str]:
    """Lay out names and texts in two columns."""
    width = width or max(len(name) for name, _ in rows)
    lines = []
    for name, text in rows:
        wrapped = _wrap(text, " " * (width + 4))
        lines.append(f"  {name:{width}}  {wrapped[0].strip()}")
        lines += wrapped[1:]
    return lines


def _wrap(text: str, indent: str) -> list[str]:
    columns = min(shutil.get_terminal_size((88, 24)).columns, 100)
    return textwrap.wrap(
        " ".join(text.split()),
        max(columns, len(indent) + 30),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )

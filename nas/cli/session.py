"""What a command works on: an experiment with its settings, and a folder.

The command is kept in `config.json`, so that later stages need not be told the settings
again. Nothing is ever imported from a workdir: it names the experiment, which is loaded
again from where it was.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.arguments import Arguments, Option, unknown_option
from nas.cli.controllers import no_such_controller
from nas.cli.experiments import (
    is_path,
    known_experiments,
    load_experiment,
    load_variants,
)
from nas.errors import UserError, nearest

if TYPE_CHECKING:
    from nas.cli.experiments import AnyExperiment
    from nas.run import Run
    from nas.tabular import TabularRun

Pairs = tuple[tuple[str, str], ...]
"""(name, text) of each setting that was given, in order."""

# Options that choose a part; the settings of the part they replace no longer apply.
PARTS = {
    "data": "data.",
    "controller": "search.controller.",
    "truth": "ranking.truth.",
    "latency": "latency.source.",
}
REPEATED = "where"
_NOTHING = "none"


@dataclasses.dataclass(frozen=True)
class Session:
    """An experiment, ready to be carried out.

    Attributes:
      reference: how the experiment was named.
      experiment: with all settings applied.
      given: the settings that differ from the experiment's file.
      workdir: the folder of the run; it may not exist yet.
      note: the experiment's lab note.
    """

    reference: str
    experiment: "AnyExperiment"
    given: Pairs
    workdir: Path
    note: str

    @property
    def named(self) -> str:
        """How to name the experiment on a command line here."""
        if is_path(self.reference):
            return os.path.relpath(self.reference)
        return self.reference

    @property
    def tabular(self) -> bool:
        """Whether a table is searched, and nothing is trained."""
        return is_tabular(self.experiment)

    def open(self, notify: Callable[[str], None]) -> "Run":
        """Start or continue the run; to be closed, or used in a `with` block."""
        from nas.run import Run

        experiment: Any = self.experiment
        return Run(experiment, self.workdir, notify, {"command": self._command})

    def open_table(self, notify: Callable[[str], None]) -> "TabularRun":
        """Start or continue the search of a table, in the same way."""
        from nas.tabular import TabularRun

        experiment: Any = self.experiment
        return TabularRun(experiment, self.workdir, notify, {"command": self._command})

    @property
    def _command(self) -> dict[str, Any]:
        return {
            "experiment": self.reference,
            "settings": [list(pair) for pair in self.given],
        }


def load_session(
    arguments: Arguments,
    allowed: Sequence[Option],
    resumes: bool,
    notify: Callable[[str], None],
) -> Session:
    """Find out what a command works on.

    Args:
      arguments: the command.
      allowed: the stage's options, to suggest from.
      resumes: whether settings of an earlier command hold until given anew. Otherwise
        they do so only when the folder stands for the experiment.
      notify: where to say which settings are taken over.

    Returns:
      The session.

    Raises:
      UserError: the experiment, a setting or the folder is wrong.
    """
    reference, workdir = _locate(arguments)
    before = _command(workdir) if workdir is not None else None
    named = reference is not None
    if reference is None:
        if before is None or workdir is None:
            raise UserError(_no_experiment())
        reference = _remembered(before, workdir)
    experiment, note = load_experiment(reference)
    new = given_pairs(arguments)
    name = dict(new).get("name", experiment.name)
    if workdir is None:
        workdir = Path("runs") / name
        before = _command(workdir)
    if before is not None and before["variant"] is not None:
        experiment = _variant(reference, before["variant"], experiment)
    given = new
    if before is not None:
        _check_same(before, reference, name, workdir)
        if resumes or not named:
            given = merge(before["given"], new)
    taken = [pair for pair in given if pair not in new]
    if taken:
        texts = " ".join(f"--{name} {text}" for name, text in taken)
        notify(f"Settings of {workdir}: {texts}")
    experiment = apply_given(experiment, given, allowed)
    if is_path(reference):
        reference = str(Path(reference).expanduser().absolute())
    return Session(reference, experiment, given, workdir, note)


def is_tabular(experiment: "AnyExperiment") -> bool:
    """Whether an experiment searches a table, and trains nothing."""
    from nas.tabular import TabularExperiment

    return isinstance(experiment, TabularExperiment)


def apply_given(
    experiment: "AnyExperiment", given: Pairs, allowed: Sequence[Option] = ()
) -> "AnyExperiment":
    """Give an experiment other settings.

    Args:
      experiment: as its file has it.
      given: what was said on the command line; options that choose parts come first,
        wherever they stand.
      allowed: the stage's options, to suggest from.

    Returns:
      A copy.

    Raises:
      UserError: a setting is unknown or refused.
    """
    from nas.cli import overrides
    from nas.data import source_from_path

    plain = {}
    for name, text in given:
        if name == "data":
            if is_tabular(experiment):
                raise UserError(_no_data(experiment.name))
            changes: dict[str, Any] = {"data": source_from_path(text)}
            experiment = dataclasses.replace(experiment, **changes)
        elif name == "controller":
            experiment = _search(experiment, controller=_controller(text))
        elif name == "truth":
            experiment = _truth(experiment, text)
        elif name == "latency":
            experiment = _latency(experiment, text)
        elif name != REPEATED:
            plain[name] = text
    where = tuple(text for name, text in given if name == REPEATED)
    if where:
        kept = () if where == (_NOTHING,) else where
        experiment = _search(experiment, where=kept)
    known = [setting.path for setting in overrides.settings(experiment)]
    for name in plain:
        group = any(path.startswith(name + ".") for path in known)
        if "." not in name and name not in known and not group:
            options = [option.name for option in allowed]
            raise UserError(unknown_option(name, options + known))
    return overrides.apply(experiment, plain)


def merge(old: Pairs, new: Pairs) -> Pairs:
    """Add settings to earlier ones; what is given anew replaces what was.

    Args:
      old: of earlier commands.
      new: of this one.

    Returns:
      Both, without those of a part that `new` replaces.
    """
    names = {name for name, _ in new}
    gone = tuple(PARTS.get(name, name + ".") for name in names)
    kept = [
        (name, text)
        for name, text in old
        if name not in names and not name.startswith(gone)
    ]
    return (*kept, *new)


def given_pairs(arguments: Arguments) -> Pairs:
    """List the settings that a command gives, options that choose parts first."""
    pairs = []
    for name in (*PARTS, REPEATED):
        texts = arguments.options.get(name, [])
        if name == "latency":
            texts = [text for text in texts if text]  # of `nas profile` it is a flag
        if name in ("data", "truth", "latency"):
            texts = [_absolute(text) for text in texts]
        pairs += [(name, text) for text in (texts if name == REPEATED else texts[-1:])]
    settings: dict[str, str] = {}
    for name, text in arguments.settings:
        settings[name] = text or ""
    return (*pairs, *settings.items())


def _locate(arguments: Arguments) -> tuple[str | None, Path | None]:
    """Tell an experiment from a workdir that stands for one."""
    given = arguments.one("workdir")
    workdir = None if given is None else Path(given).expanduser()
    if not arguments.names:
        return None, workdir
    name = arguments.names[0]
    path = Path(name).expanduser()
    if not (path / "config.json").is_file():
        return name, workdir
    if workdir is not None and workdir.absolute() != path.absolute():
        raise UserError(
            f"Two workdirs were given, {path} and --workdir {workdir}. Give one, or an "
            "experiment and one."
        )
    return None, path


def _command(workdir: Path) -> dict[str, Any] | None:
    """Read which command a folder is of, None if it is of none."""
    if not (workdir / "config.json").is_file():
        return None
    from nas.runtime.workdir import Workdir

    config = Workdir(workdir, exclusive=False).read_config()
    command = config.get("command", {})
    try:
        return {
            "experiment": command.get("experiment"),
            "name": config.get("name"),
            "variant": command.get("variant"),
            "given": tuple((str(n), str(t)) for n, t in command.get("settings", ())),
        }
    except (TypeError, ValueError, AttributeError):
        raise UserError(
            f"{workdir / 'config.json'}: `command` is {command!r}, which no command "
            "wrote. Put the file back, or give the experiment and another --workdir."
        ) from None


def _remembered(before: dict[str, Any], workdir: Path) -> str:
    reference = before["experiment"]
    if reference is None:
        raise UserError(
            f"{workdir} was made from Python. Give its experiment too: "
            f"nas STAGE EXPERIMENT --workdir {workdir}."
        )
    if is_path(reference):
        raise UserError(
            f"{workdir} is of the experiment in {reference}. Files are not loaded "
            "because a folder says so; give it again: nas STAGE "
            f"{os.path.relpath(reference)} --workdir {workdir}."
        )
    return reference


def _variant(reference: str, name: str, experiment: "AnyExperiment") -> "AnyExperiment":
    """Give the variant that a sweep made a folder of; without any, the experiment."""
    variants = load_variants(reference)
    if not variants:
        return experiment
    if name not in variants:
        raise UserError(
            f"The folder is of the variant {name!r}, which {reference} does not define "
            f"any more. {nearest(name, variants)}"
        )
    return variants[name]


def _check_same(
    before: dict[str, Any], reference: str, name: str, workdir: Path
) -> None:
    if before["name"] not in (name, None):
        raise UserError(
            f"{workdir} holds a run of experiment {before['name']!r}, and {reference} "
            f"is {name!r}. Give another --workdir, or ask for what is there."
        )


def _absolute(text: str) -> str:
    """Keep a path valid when the next command runs in another folder."""
    from nas.data import discover_sources

    path = Path(text).expanduser()
    named = text in discover_sources()
    return text if named or not path.exists() else str(path.absolute())


def _search(experiment: "AnyExperiment", **changes: Any) -> "AnyExperiment":
    search = dataclasses.replace(experiment.search, **changes)
    return dataclasses.replace(experiment, search=search)


def _truth(experiment: "AnyExperiment", path: str) -> "AnyExperiment":
    from nas.ranking import TruthFile

    changed: Any = experiment
    if is_tabular(experiment):
        return dataclasses.replace(changed, truth=TruthFile(path))
    ranking = dataclasses.replace(changed.ranking, truth=TruthFile(path))
    return dataclasses.replace(changed, ranking=ranking)


def _latency(experiment: "AnyExperiment", path: str) -> "AnyExperiment":
    from nas.latency import source_of

    changed: Any = experiment
    if is_tabular(experiment):
        raise UserError(
            f"--latency: {experiment.name} searches a table, whose own columns are the "
            "latencies that it knows, such as latency_ms_pixel2."
        )
    latency = dataclasses.replace(changed.latency, source=source_of(path))
    return dataclasses.replace(changed, latency=latency)


def _no_data(name: str) -> str:
    return (
        f"--data: {name} searches a table and reads no examples. Give the table: "
        "--truth FILE.npz as made by nas truth, or --truth.root DIR where the files of "
        "a published one are."
    )


def _controller(name: str) -> Any:
    from nas.search import discover

    controllers = discover()
    if name not in controllers:
        raise UserError(no_such_controller(name))
    return controllers[name]()


def _no_experiment() -> str:
    names = "\n".join(f"  {n:16} {text}" for n, text in known_experiments().items())
    return (
        "Which experiment? Give a name, the path of your own .py file, or the workdir "
        f"of an earlier run. Names are:\n{names}"
    )

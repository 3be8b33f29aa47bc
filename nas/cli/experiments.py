"""From a name or a path to an experiment: the one dynamic lookup of the command line.

A name is a module of the package `experiments`; its docstring is its lab note. A path
leads to a user's own Python file. Either defines `experiment = Experiment(...)`.
"""

import ast
import importlib.util
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from nas.errors import UserError, nearest

if TYPE_CHECKING:
    from nas.experiment import Experiment
    from nas.tabular import TabularExperiment

    AnyExperiment = Experiment | TabularExperiment

VARIABLE = "experiment"
VARIANTS = "variants"
_EXAMPLE = "experiment = Experiment(name=.., supernet=.., data=.., search=..)"


def known_experiments() -> dict[str, str]:
    """List the experiments that come with the package, without running any.

    Returns:
      The first line of its lab note, by name.
    """
    found = {}
    for name, path in _files().items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        if any(_defines(node) for node in tree.body):
            note = ast.get_docstring(tree) or ""
            found[name] = note.partition("\n")[0]
    return found


def is_path(reference: str) -> bool:
    """Say whether a reference means a file, by how it is written."""
    return reference.endswith(".py") or "/" in reference or os.sep in reference


def load_experiment(reference: str) -> tuple["AnyExperiment", str]:
    """Load an experiment.

    Args:
      reference: a name under `experiments/`, or the path of a Python file.

    Returns:
      The experiment and its lab note.

    Raises:
      UserError: there is none, its file raises, or it defines something else.
    """
    path, module = _load(reference)
    kinds = _kinds()
    found = getattr(module, VARIABLE, None)
    if isinstance(found, kinds):
        return found, (module.__doc__ or "").strip()
    if found is not None:
        raise UserError(
            f"{path}: `{VARIABLE}` is {_article(type(found).__name__)}, not an "
            f"Experiment. Write: {_EXAMPLE}"
        )
    others = [name for name, v in vars(module).items() if isinstance(v, kinds)]
    hint = f" Rename {others[0]} to {VARIABLE}." if others else ""
    raise UserError(f"{path} defines no `{VARIABLE}`.{hint} Write: {_EXAMPLE}")


def load_variants(reference: str) -> dict[str, "AnyExperiment"]:
    """Load the variants that an experiment's file defines beside the experiment.

    Args:
      reference: a name under `experiments/`, or the path of a Python file.

    Returns:
      Experiments by name, in the file's order; empty if it defines none.

    Raises:
      UserError: there is no such file, it raises, or `variants` is something else.
    """
    path, module = _load(reference)
    kinds = _kinds()
    found = getattr(module, VARIANTS, {})
    if isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(value, kinds)
        for name, value in found.items()
    ):
        return found
    raise UserError(
        f"{path}: `{VARIANTS}` is no dictionary from names to experiments. Write: "
        f'{VARIANTS} = {{"plain": {VARIABLE}, "longer": dataclasses.replace(..)}}'
    )


def _kinds() -> tuple[type["Experiment"], type["TabularExperiment"]]:
    """Give what an experiment may be: one that trains, or one that searches a table."""
    from nas.experiment import Experiment
    from nas.tabular import TabularExperiment

    return (Experiment, TabularExperiment)


def _load(reference: str) -> tuple[Path, ModuleType]:
    path = _find_path(reference) if is_path(reference) else _find_name(reference)
    return path, _run(path)


def _files() -> dict[str, Path]:
    spec = importlib.util.find_spec("experiments")
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(next(iter(spec.submodule_search_locations)))
    modules = pkgutil.iter_modules([str(folder)])
    return {m.name: folder / f"{m.name}.py" for m in modules if not m.ispkg}


def _defines(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return any(isinstance(t, ast.Name) and t.id == VARIABLE for t in targets)


def _find_name(name: str) -> Path:
    known = known_experiments()
    if name in known:
        return _files()[name]
    own = Path(f"{name}.py")
    if own.is_file():
        hint = f"Did you mean the file ./{own}?"
    elif Path(name).is_dir():
        hint = (
            f"The folder {name} holds no config.json, so it is no workdir of a run "
            f"either. {nearest(name, known)}"
        )
    else:
        hint = f"{nearest(name, known)} Or give the path of your own .py file."
    raise UserError(f"There is no experiment {name!r}. {hint}")


def _find_path(reference: str) -> Path:
    path = Path(reference).expanduser().absolute()
    if path.is_file() and path.suffix == ".py":
        return path
    if path.is_dir():
        raise UserError(
            f"{path} is a folder without a config.json: no workdir of a run, and no "
            "experiment either. Give the .py file that defines one."
        )
    if path.is_file():
        raise UserError(
            f"{path} is no Python file. An experiment is a .py file that defines "
            f"`{VARIABLE}`."
        )
    here = [found.name for found in path.parent.glob("*.py")]
    hint = f" {nearest(path.name, here)}" if here else ""
    raise UserError(f"There is no file {path}.{hint}")


def _run(path: Path) -> ModuleType:
    """Run a file as a module of its own name; say where it fails."""
    name = f"nas_experiment_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and `inspect` look a class up by the name of its module.
    sys.modules[name] = module
    folder = str(path.parent)
    if folder not in sys.path:
        # Last, so that files beside it can be imported and hide nothing.
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        where = f"{error.filename or path}, line {error.lineno}"
        raise UserError(f"{where}: {error.msg}: {(error.text or '').strip()}") from None
    except (Exception, SystemExit) as error:
        raise UserError(_blame(path, error)) from error
    return module


def _blame(path: Path, error: BaseException) -> str:
    """Give the user's own line that led to an error, and what the error says."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if Path(f.filename).parent == path.parent]
    where = f"{own[-1].filename}, line {own[-1].lineno}" if own else str(path)
    if isinstance(error, UserError):
        return f"{where}: {error}"
    if isinstance(error, OSError | ImportError | ValueError) and str(error):
        return f"{where}: {type(error).__name__}: {error}"
    line = f" ({own[-1].line})" if own and own[-1].line else ""
    return f"{where}: {type(error).__name__}: {error}{line}"


def _article(word: str) -> str:
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"

"""The controllers that `--controller` takes, read without importing any.

Help texts must not wait for JAX, so that names and first lines come from the syntax
trees of the files that `nas.search.discover` imports.
"""

import ast
import importlib.util
from pathlib import Path

from nas.errors import nearest


def known_controllers() -> dict[str, str]:
    """List the controllers.

    Returns:
      What each does, in a line, by name and in the order of names.
    """
    found = {}
    for path in _folder().glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for node in tree.body:
            name = _name(node) if isinstance(node, ast.ClassDef) else None
            if name is not None and isinstance(node, ast.ClassDef):
                text = ast.get_docstring(node) or ""
                line = " ".join(text.partition("\n\n")[0].split())
                found[name] = line.rstrip(".")
    return dict(sorted(found.items()))


def no_such_controller(name: str) -> str:
    """Say that a controller does not exist, and what each that does is.

    Args:
      name: what the user wrote.
    """
    known = known_controllers()
    lines = "\n".join(f"  {known_name:12} {text}" for known_name, text in known.items())
    close = nearest(name, known)
    hint = f" {close}" if close.startswith("Did") else ""
    return (
        f"--controller {name}: there is no such controller.{hint} Controllers are:\n"
        f"{lines}"
    )


def _folder() -> Path:
    spec = importlib.util.find_spec("nas.search")
    if spec is None or not spec.submodule_search_locations:
        return Path("nothing")
    return Path(next(iter(spec.submodule_search_locations)))


def _name(node: ast.ClassDef) -> str | None:
    """Give the `NAME` that a class sets, None if it sets none."""
    for statement in node.body:
        target = getattr(statement, "target", None)
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        value = getattr(statement, "value", None)
        named = isinstance(target, ast.Name) and target.id == "NAME"
        if named and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None

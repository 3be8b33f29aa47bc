"""What the fields of a dataclass mean, read from where its author wrote it down.

A field is explained by the string literal below it, or by its entry in the `Attributes`
section of the class docstring. Fields of parent classes are explained there.
"""

import ast
import inspect
import itertools
import re
import textwrap

_ENTRY = re.compile(r"(\w+): (.*)")


def field_texts(kind: type) -> dict[str, str]:
    """Find the explanation of each field.

    Args:
      kind: a dataclass.

    Returns:
      `{field: text}`, each text in one line; fields that nobody explained are missing.
    """
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__[:-1]):
        texts |= _attributes(inspect.getdoc(parent) or "") | _literals(parent)
    return texts


def _literals(kind: type) -> dict[str, str]:
    """Read the strings that stand directly below annotated fields."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        return {}  # a class without a file, made in a notebook or by a program
    body = ast.parse(source).body[0].body  # pyright: ignore[reportAttributeAccessIssue]
    found = {}
    for field, text in itertools.pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(text, ast.Expr):
            continue
        if isinstance(field.target, ast.Name) and isinstance(text.value, ast.Constant):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """Read the entries of a Google docstring's `Attributes` section."""
    found: dict[str, str] = {}
    _, _, section = docstring.partition("Attributes:\n")
    name = ""
    for line in section.splitlines():
        indent = len(line) - len(line.lstrip())
        entry = _ENTRY.fullmatch(line.strip())
        if line.strip() and not indent:
            break
        if indent == 2 and entry:
            name = entry[1]
            found[name] = entry[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found

"""From what the user typed to a data source: a name, a file or a folder."""

import dataclasses
import functools
import importlib
import pkgutil
from pathlib import Path

from nas.data.base import DataSource
from nas.errors import UserError, nearest


@functools.cache
def discover_sources() -> dict[str, type[DataSource]]:
    """Find every data source of this package, by its name.

    A source is a module with `NAME` and `SOURCE`; nothing lists them.
    """
    package = __name__.rpartition(".")[0]
    sources = {}
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{package}.{info.name}")
        if hasattr(module, "NAME") and hasattr(module, "SOURCE"):
            sources[module.NAME] = module.SOURCE
    return sources


def source_from_path(text: str) -> DataSource:
    """Make the data source that a user means.

    Args:
      text: the name of a source that needs nothing else (`digits`), or the path of a
        file or folder that some source reads. A name wins over a folder of that name,
        which is then written `./digits`.

    Returns:
      The source, not loaded yet.

    Raises:
      UserError: if it is neither.

    Example:
      >>> source_from_path("digits").load().input_shape
      (8, 8, 1)
    """
    sources = discover_sources()
    if text in sources:
        if _needs_a_path(sources[text]):
            raise UserError(
                f"--data {text}: say which one. Give the path of "
                f"{sources[text].path_kind}."
            )
        return sources[text]()
    path = Path(text).expanduser()
    named = [name for name, source in sources.items() if not _needs_a_path(source)]
    kinds = [source.path_kind for source in sources.values() if source.path_kind]
    allowed = f"A path must lead to {', or to '.join(kinds)}."
    if not text or not path.exists():
        raise UserError(
            f"--data {text or '(empty)'}: neither a data set of this name nor a file "
            f"or folder {path.absolute()}. {nearest(text, named)} {allowed}"
        )
    for source in sources.values():
        if (made := source.from_path(path)) is not None:
            return made
    raise UserError(
        f"--data {text}: cannot be read as data (a file that ends in "
        f"'{path.suffix}'). {allowed}"
    )


def _needs_a_path(source: type[DataSource]) -> bool:
    return any(
        field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
        for field in dataclasses.fields(source)
    )

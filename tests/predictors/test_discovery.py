import importlib

import pytest

from predictors.discovery import named_classes

ABSTRACT = "    @abc.abstractmethod\n    def f(self): ...\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Make a package of modules with classes of given names, and import it."""

    def make(name: str, **modules: str):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        head = f"import abc\nfrom {name}.base import Part\n"
        (folder / "base.py").write_text(
            "import abc\nclass Part(abc.ABC):\n    NAME = 'base'\n" + ABSTRACT
        )
        for module, found in modules.items():
            body = f"class Own(Part):\n    NAME = {found!r}\n    def f(self): ...\n"
            (folder / f"{module}.py").write_text(head + body)
        monkeypatch.syspath_prepend(tmp_path)
        loaded = importlib.import_module(name)
        return loaded, importlib.import_module(f"{name}.base").Part

    return make


def test_concrete_classes_are_found_by_name(package):
    loaded, part = package("found_parts", first="zebra", second="ant")
    found = named_classes(loaded, part)
    assert list(found) == ["ant", "zebra"]
    assert found["zebra"].__module__ == "found_parts.first"


def test_two_of_one_name_are_refused(package):
    loaded, part = package("same_parts", first="ant", second="ant")
    with pytest.raises(ValueError, match="both named 'ant'"):
        named_classes(loaded, part)

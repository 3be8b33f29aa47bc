"""From the text after `--data` to a source."""

from pathlib import Path

import numpy as np
import pytest

import nas.data
from nas.data import (
    Cifar10,
    Cifar100,
    DataSource,
    Digits,
    ImageFolder,
    Mnist,
    NpzFile,
    discover_sources,
    source_from_path,
)
from nas.errors import UserError


def test_every_source_of_the_package_is_discovered():
    written = {
        path.stem
        for path in Path(nas.data.__file__).parent.glob("*.py")
        if "\nSOURCE = " in path.read_text()
    }
    assert set(discover_sources()) == written
    assert all(issubclass(each, DataSource) for each in discover_sources().values())


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("digits", Digits()),
        ("mnist", Mnist()),
        ("cifar10", Cifar10()),
        ("cifar100", Cifar100()),
    ],
)
def test_names(text, source):
    assert source_from_path(text) == source


def test_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("some.npz", x=np.zeros(1))
    Path("digits").mkdir()
    assert source_from_path("some.npz") == NpzFile("some.npz")
    assert source_from_path(str(tmp_path)) == ImageFolder(str(tmp_path))
    assert source_from_path("./digits") == ImageFolder("digits")
    assert source_from_path("digits") == Digits()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("minst", ("Did you mean mnist?", "minst", ".npz", "class")),
        ("cifar-10", ("Did you mean cifar10",)),
        ("quartz", ("cifar10, cifar100, digits, mnist", "/quartz")),
        ("missing.npz", ("/missing.npz",)),
        ("", ("(empty)",)),
        ("npz", ("Give the path of an .npz file",)),
        ("folder", ("Give the path of a folder",)),
        ("photos.tar", ("'.tar'", "an .npz file")),
    ],
)
def test_refusals_name_what_would_do(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    Path("photos.tar").write_text("x")
    with pytest.raises(UserError) as caught:
        source_from_path(text)
    for word in words:
        assert word in str(caught.value)

"""Texts: windows, splits that share no token, and files that are no texts."""

import dataclasses

import numpy as np
import pytest

from nas.data import Dataset, TextFile, source_from_path, split_dataset
from nas.data.split import run_indices
from nas.data.text import embedded_text
from nas.errors import UserError

TEXT = "".join(chr(ord("a") + (i * i + i // 7) % 26) for i in range(500)) + "ä\n end"


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def meanings(dataset: Dataset, rows: np.ndarray) -> list[int]:
    """Give the code points, or bytes, that tokens [.., T] stand for."""
    return np.array(dataset.kind.vocabulary)[rows.ravel()].tolist()


def test_windows_lie_end_to_end_and_labels_are_the_next_tokens(book):
    for level in ("character", "byte"):
        dataset = TextFile(str(book), level, length=7).load()
        text = list(map(ord, TEXT) if level == "character" else TEXT.encode())
        num = (len(text) - 1) // 7
        assert dataset.inputs.shape == dataset.labels.shape == (num, 7)
        assert meanings(dataset, dataset.inputs) == text[: num * 7]
        assert meanings(dataset, dataset.labels) == text[1 : num * 7 + 1]
        assert dataset.input_shape == (7,)
        assert dataset.ordered


def test_the_vocabulary_is_of_the_whole_text(book):
    dataset = TextFile(str(book), length=8).load()
    assert dataset.kind.vocabulary == tuple(sorted(map(ord, set(TEXT))))
    assert dataset.num_classes == len(set(TEXT))
    characters = map(chr, dataset.kind.vocabulary)
    names = dict(zip(characters, dataset.class_names, strict=True))
    assert names["ä"] == "ä"
    assert names["\n"] == r"\n"
    assert names[" "] == "space"
    assert all(name.isprintable() for name in dataset.class_names)
    (note,) = dataset.notes
    assert "in the whole text" in note
    names = TextFile(str(book), "byte", length=8).load().class_names
    assert {"a", "space", "0xc3", "0xa4", "0x0a"} <= set(names)


def test_splits_share_no_token(book):
    # Of tokens that say where they are, so that two windows with one in common show.
    dataset = TextFile(str(book), length=7).load()
    places = np.arange(dataset.inputs.size, dtype=np.int32).reshape(
        dataset.inputs.shape
    )
    size = places.size + 1
    placed = dataclasses.replace(
        dataset,
        inputs=places,
        labels=places + 1,
        class_names=tuple(map(str, range(size))),
        kind=dataclasses.replace(
            dataset.kind, size=size, vocabulary=tuple(range(size))
        ),
    )
    splits = split_dataset(placed, seed=1)
    parts = [splits.weights, splits.search, splits.report]
    seen = [set(part.inputs.ravel()) | set(part.labels.ravel()) for part in parts]
    for i, part in enumerate(parts):
        first = np.sort(part.inputs[:, 0])
        assert (np.diff(first) == 7).all()  # a run
        assert not (np.diff(part.inputs[:, 0]) == 7).all()  # shuffled
        for other in seen[i + 1 :]:
            assert not seen[i] & other
    assert max(seen[0]) < min(seen[1])
    assert max(seen[1]) < min(seen[2])
    assert sum(map(len, parts)) == len(dataset.inputs) - 2
    shares = [len(part) / len(dataset.inputs) for part in parts]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.03)


def test_runs_are_a_function_of_the_seed():
    once, again, other = (run_indices(30, (0.6, 0.4), seed) for seed in (0, 0, 1))
    for a, b, c in zip(once, again, other, strict=True):
        assert a.tolist() == b.tolist()
        assert a.tolist() != c.tolist()
        assert sorted(a) == sorted(c)
    assert sorted(np.concatenate(once)) == [i for i in range(30) if i != 17]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num": 4}, "4 examples are too few for 3 splits"),
        ({"seed": -1}, "0 or more, found -1"),
        ({"fractions": (1.2, -0.4, 0.2)}, "found 1.2, -0.4, 0.2"),
    ],
)
def test_impossible_runs(options, message):
    with pytest.raises(UserError, match=message):
        run_indices(**{"num": 50, "fractions": (0.6, 0.2, 0.2), "seed": 0} | options)


def test_without_a_path_it_is_the_documentation_of_python():
    dataset = source_from_path("text").load()
    assert dataset.inputs.shape[1] == 64
    assert len(dataset.inputs) > 3000
    text = embedded_text()
    assert "Assert statements are a convenient way" in text
    # What occurs in several topics would be in several splits.
    paragraphs = [p.strip() for p in text.split("\n\n")]
    assert len(paragraphs) == len(set(paragraphs))


def test_a_txt_file_is_a_text(book, tmp_path):
    assert source_from_path(str(book)) == TextFile(str(book))
    (tmp_path / "marked.txt").write_text("\ufeff" + TEXT, encoding="utf-8")
    marked = TextFile(str(tmp_path / "marked.txt"), length=8).load()
    assert ord("\ufeff") not in marked.kind.vocabulary


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("is empty",)),
        (b"abc " * 100 + b"\xe9t\xe9" + b"abc", ("not UTF-8", "0xe9 at offset 400")),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ("is no text", "zero byte at offset 8")),
        (
            b"short",
            ("5 characters", "too few for windows of 8", "129", "--data.length"),
        ),
        (b"a" * 500, ("repeats a single character",)),
    ],
)
def test_what_is_no_text_is_one_message(tmp_path, refuses, content, words):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    refuses(TextFile(str(path), length=8), str(path), *words)


def test_missing_files_and_folders(tmp_path, refuses):
    refuses(TextFile(str(tmp_path / "absent.txt")), "there is no such file")
    refuses(TextFile(str(tmp_path)), "is a folder")


@pytest.mark.parametrize(
    ("options", "message"), [({"level": "word"}, "level"), ({"length": 0}, "length")]
)
def test_impossible_settings(options, message):
    with pytest.raises(UserError, match=f"data: {message} is"):
        TextFile(**options)

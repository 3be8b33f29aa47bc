"""Truth tables: what is refused, what survives a file, and other spaces by name."""

import io

import numpy as np
import pytest

from nas.errors import UserError
from nas.ranking import PackagedTruth, TruthFile, TruthTable
from search_spaces import Decision, SearchSpace

SPACE = SearchSpace("toy", (Decision("a", ("x", "y", "z")), Decision("b", (1, 2))))


def table(**changes):
    genotypes = np.asarray([[0, 0], [1, 1], [2, 0]], np.int32)
    error = np.asarray([[0.1, 0.2], [0.3, np.nan], [0.5, 0.7]])
    parts = {
        "space": SPACE,
        "genotypes": genotypes,
        "seeds": np.asarray([0, 1], np.int32),
        "error": error,
        "nll": 2 * error,
        "provenance": {"name": "toy", "settings": {"steps": 3}},
        "columns": {"latency_ms": np.asarray([1.0, 2.0, 3.0])},
    }
    return TruthTable(**parts | changes)


def test_a_file_gives_back_what_was_saved(tmp_path):
    table().save(tmp_path / "t.npz")
    found = TruthFile(str(tmp_path / "t.npz")).load()
    for name in ("genotypes", "seeds", "error", "nll"):
        np.testing.assert_array_equal(getattr(found, name), getattr(table(), name))
    assert found.space == SPACE
    assert found.provenance == table().provenance
    np.testing.assert_array_equal(found.columns["latency_ms"], [1, 2, 3])
    assert found.hash == table().hash


def test_hash_changes_with_values_only():
    other = table(error=np.zeros((3, 2)))
    assert other.hash != table().hash
    assert table(provenance={"name": "renamed"}).hash == table().hash


def test_means_are_over_known_seeds():
    np.testing.assert_allclose(table().mean("error"), [0.15, 0.3, 0.6])
    assert len(table().complete()) == 2
    nothing = table(error=np.full((3, 2), np.nan))
    assert np.isnan(nothing.mean()).all()


def test_another_space_takes_what_both_have_by_name():
    other = SearchSpace("other", (Decision("a", ("z", "x")), Decision("b", (2, 1, 3))))
    found = table().for_space(other)
    assert found.genotypes.tolist() == [[1, 1], [0, 1]]
    np.testing.assert_array_equal(found.error, table().error[[0, 2]])
    np.testing.assert_array_equal(found.columns["latency_ms"], [1, 3])
    for wrong, message in (
        (SearchSpace("c", (Decision("c", (1, 2)),)), "same decisions"),
        (
            SearchSpace("n", (Decision("a", ("q", "r")), Decision("b", (1, 2)))),
            "no architecture in common",
        ),
    ):
        with pytest.raises(UserError, match=message):
            table().for_space(wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"error": np.zeros((3, 1))}, r"error has shape \[3, 1\].*2 seeds"),
        ({"genotypes": np.asarray([[0, 0], [1, 1], [0, 0]])}, "there 2 times"),
        ({"genotypes": np.asarray([[0, 0], [1, 1], [2, 5]])}, "genotypes"),
        ({"columns": {"ms": np.zeros(2)}}, "column ms"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        table(**changes)


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        TruthTable.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match="no truth table"):
        TruthTable.load(tmp_path / "text.npz")
    content = io.BytesIO()
    np.savez(content, other=np.zeros(2))
    (tmp_path / "other.npz").write_bytes(content.getvalue())
    with pytest.raises(UserError, match=r"lacks genotypes.*found other"):
        TruthTable.load(tmp_path / "other.npz")
    with pytest.raises(UserError, match="holds no truth/nothing"):
        PackagedTruth("experiments", "nothing").load()
    with pytest.raises(UserError, match="path is empty"):
        TruthFile().load()

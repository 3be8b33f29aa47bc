"""The archive: no architecture twice, the front, and files that read back exactly."""

import csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas.search import Archive, front_indices, hypervolume

same_space = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
row_lists = st.lists(st.integers(0, 647), min_size=1, max_size=40)


def raw(space, numbers):
    """Genotypes by number, equal computations under different ones among them."""
    unraveled = np.unravel_index(np.asarray(numbers), space.num_options)
    return np.stack(unraveled, axis=1).astype(np.int32)


@same_space
@given(row_lists, row_lists)
def test_nothing_is_missing_twice(elastic, first, second):
    archive = Archive.empty(elastic.space, ("nll", "macs"), 80)
    known: dict[bytes, np.ndarray] = {}
    for numbers in (first, second):
        genotypes = raw(elastic.space, numbers)
        new = archive.missing(genotypes)
        canonical = elastic.space.canonical(genotypes)
        expected = {g.tobytes() for g in canonical} - set(known)
        assert len(new) == len(expected)
        assert {g.tobytes() for g in new} == expected
        archive = archive.add(new, elastic.evaluate(new), 0)
        known |= {g.tobytes(): g for g in new}
        assert len(archive) == len(known)
        np.testing.assert_array_equal(
            archive.lookup(genotypes, ("macs", "nll")),
            elastic.points(canonical)[:, ::-1],
        )


@same_space
@given(row_lists, st.data())
def test_front_and_hypervolume_history_are_those_of_the_rows_so_far(
    elastic, numbers, data
):
    archive = elastic.archive(
        np.unique(elastic.space.canonical(raw(elastic.space, numbers)), axis=0)
    )
    bits = st.lists(st.booleans(), min_size=len(archive), max_size=len(archive))
    mask = np.array(data.draw(bits), bool)
    points = archive.values[: len(archive)]
    rows = np.flatnonzero(mask)
    front = archive.front(("nll", "macs"), mask)
    assert set(front) == set(rows[front_indices(points[mask])])
    assert (np.diff(points[front, 0]) >= 0).all()
    reference, scale = np.array([2.0, 300.0]), np.array([5.0, 100.0])
    history = archive.hypervolumes(("nll", "macs"), reference, scale, mask)
    for i in range(len(archive)):
        so_far = points[: i + 1][mask[: i + 1]] / scale
        assert history[i] == pytest.approx(hypervolume(so_far, reference / scale))
    assert (np.diff(history) >= 0).all()


def test_state_is_the_archive(elastic):
    archive = elastic.archive(elastic.space.enumerate()[10:20])
    file = io.BytesIO()
    np.savez(file, **archive.state())
    file.seek(0)
    again = Archive.from_state(elastic.space, archive.columns, np.load(file))
    np.testing.assert_array_equal(
        again.find(elastic.space.enumerate()[8:12]), [-1] * 2 + [0, 1]
    )
    np.testing.assert_array_equal(again.values, archive.values)
    grown = again.grow(200).grow(len(again))
    np.testing.assert_array_equal(grown.genotypes, archive.genotypes[:10])


def test_csv_reads_back_exactly_and_is_replaced_whole(elastic, tmp_path):
    genotypes = elastic.space.enumerate()[::20]
    archive = elastic.archive(genotypes)
    extra = elastic.space.enumerate()[1:3]
    values = {"nll": np.array([0.1 + 0.2, 1e-300]), "macs": np.array([1, 2])}
    archive = archive.add(extra, values, 1)
    path = tmp_path / "archive.csv"
    path.write_text("old")
    archive.write_csv(path)
    assert [file.name for file in tmp_path.iterdir()] == ["archive.csv"]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["search", "id", "genotype", "nll", "macs"]
    read = np.array([row["genotype"].split() for row in rows], np.int32)
    np.testing.assert_array_equal(read, np.concatenate([genotypes, extra]))
    for i, name in enumerate(archive.columns):
        column = np.array([float(row[name]) for row in rows])
        np.testing.assert_array_equal(column, archive.values[: len(archive), i])
    assert [row["search"] for row in rows[-3:]] == ["0", "1", "1"]
    assert [row["id"] for row in rows] == [elastic.space.id(g) for g in read]
    before = path.read_bytes()
    archive.write_csv(path)
    assert path.read_bytes() == before


def test_a_value_the_old_archive_stays(elastic):
    archive = Archive.empty(elastic.space, ("nll", "macs"), 5)
    new = elastic.space.enumerate()[:2]
    archive.add(new, elastic.evaluate(new), 0)
    assert len(archive) == 0
    assert len(archive.missing(new)) == 2


def test_misuse_is_refused(elastic):
    genotypes = elastic.space.enumerate()[:3]
    archive = elastic.archive(genotypes[:2], capacity=2)
    values = elastic.evaluate(genotypes)
    with pytest.raises(ValueError, match="evaluates no architecture twice"):
        archive.add(genotypes, values, 0)
    third = {name: column[2:] for name, column in values.items()}
    with pytest.raises(ValueError, match="1 rows do not fit: 2 of 2"):
        archive.add(genotypes[2:], third, 0)
    with pytest.raises(ValueError, match=r"'macs'.*found nothing"):
        archive.grow(3).add(genotypes[2:], {"nll": third["nll"]}, 0)
    with pytest.raises(ValueError, match="was never evaluated"):
        archive.lookup(genotypes, ("nll",))
    with pytest.raises(ValueError, match=r"no column 'mac'\. Did you mean macs"):
        archive.front(("mac",))
    with pytest.raises(ValueError, match="belongs to another run"):
        Archive.from_state(elastic.space, ("nll",), archive.state())

"""The split is a partition, stratified, and a function of labels and seed."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.data import Dataset, split_dataset
from nas.data.split import stratified_indices
from nas.errors import UserError

FRACTIONS = st.lists(st.integers(1, 20), min_size=2, max_size=4).map(
    lambda parts: [part / sum(parts) for part in parts]
)
PINNED = [[0, 8, 19, 9, 3, 18, 14, 7, 15, 5, 2, 16], [1, 17, 10, 6], [11, 13, 12, 4]]
LABELS = st.lists(st.integers(4, 40), min_size=1, max_size=5).map(
    lambda counts: np.repeat(np.arange(len(counts), dtype=np.int32), counts)
)


def names(labels: np.ndarray) -> list[str]:
    """Name the classes c0, c1, .."""
    return [f"c{label}" for label in range(labels.max() + 1)]


@given(labels=LABELS, fractions=FRACTIONS, seed=st.integers(0, 2**40))
def test_parts_are_a_stratified_partition(labels, fractions, seed):
    parts = stratified_indices(labels, fractions, seed, names(labels))
    assert sorted(itertools.chain(*parts)) == list(range(len(labels)))
    for label, count in enumerate(np.bincount(labels)):
        sizes = np.array([np.sum(labels[part] == label) for part in parts])
        assert sizes.min() >= 1
        if count * min(fractions) >= 1:
            assert np.abs(sizes - count * np.array(fractions)).max() < 1
    again = stratified_indices(labels.copy(), fractions, seed, names(labels))
    for one, other in zip(parts, again, strict=True):
        assert np.array_equal(one, other)


def test_the_split_is_pinned_and_depends_on_the_seed():
    labels = np.arange(20, dtype=np.int32) % 2
    parts = [
        stratified_indices(labels, (0.6, 0.2, 0.2), seed, names(labels))
        for seed in (0, 1)
    ]
    assert [part.tolist() for part in parts[0]] == PINNED
    assert parts[1][1].tolist() != PINNED[1]


def test_parts_are_shuffled():
    labels = np.repeat(np.arange(2, dtype=np.int32), 500)
    first, _ = stratified_indices(labels, (0.5, 0.5), 0, names(labels))
    # The files may be sorted by class; the first hundred of a split must not be.
    assert 30 < np.sum(labels[first[:100]] == 0) < 70
    for label in range(2):
        members = first[labels[first] == label]
        assert 0 < np.sum(np.diff(members) > 0) < len(members) - 1


def make_dataset(counts: list[int], test_counts: list[int] | None = None) -> Dataset:
    """Make a set whose image i is filled with i."""

    def examples(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
        return np.broadcast_to(images, (len(labels), 2, 2, 1)), labels

    test = examples(test_counts) if test_counts else (None, None)
    class_names = tuple(f"c{label}" for label in range(len(counts)))
    return Dataset(*examples(counts), class_names, "made up", *test)


def test_without_a_test_set_three_ways():
    dataset = make_dataset([20, 40])
    splits = split_dataset(dataset, seed=3)
    parts = (splits.weights, splits.search, splits.report)
    assert [np.bincount(part.labels).tolist() for part in parts] == [
        [12, 24],
        [4, 8],
        [4, 8],
    ]
    seen = np.concatenate([part.inputs[:, 0, 0, 0] for part in parts])
    assert sorted(seen) == list(range(60))
    for part in parts:
        assert np.array_equal(part.labels, dataset.labels[part.inputs[:, 0, 0, 0]])
    assert splits.class_names == ("c0", "c1")
    assert splits.input_shape == (2, 2, 1)


def test_with_a_test_set_that_is_the_report():
    dataset = make_dataset([20, 40], [3, 5])
    splits = split_dataset(dataset, seed=3)
    assert splits.report.inputs is dataset.test_inputs
    assert splits.report.labels is dataset.test_labels
    assert np.bincount(splits.weights.labels).tolist() == [16, 32]
    assert np.bincount(splits.search.labels).tolist() == [4, 8]


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (make_dataset([9, 2]), {}, r"Class c1 \(label 1\) has 2 images.*3 splits"),
        (make_dataset([9, 1], [1, 1]), {}, r"Class c1 \(label 1\) has 1 im.*2 splits"),
        (make_dataset([9, 9], [3, 0]), {}, r"c1 \(label 1\) has no test images"),
        (make_dataset([9, 9]), {"seed": -1}, "0 or more, found -1"),
        (make_dataset([9, 9]), {"search_fraction": 0.0}, "found 0.8, 0, 0.2"),
        (make_dataset([9, 9]), {"report_fraction": 0.9}, "found -0.1, 0.2, 0.9"),
    ],
)
def test_refusals(dataset, options, message):
    with pytest.raises(UserError, match=message):
        split_dataset(dataset, **{"seed": 0} | options)

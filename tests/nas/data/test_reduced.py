"""A reduced data set: which examples, which pixels, and what cannot be reduced."""

import dataclasses

import numpy as np
import pytest

from nas.data import Dataset, DataSource, Digits, Reduced
from nas.errors import UserError


@dataclasses.dataclass(frozen=True)
class Numbered(DataSource):
    """Images of 6x6 whose blocks of 2x2 inside a border of 1 have known means."""

    def load(self) -> Dataset:
        images = np.full((60, 6, 6, 1), 255, np.uint8)
        images[:, 1:5, 1:5, 0] = np.arange(60, dtype=np.uint8)[:, None, None]
        images[:, 1, 1, 0] += 4
        labels = (np.arange(60) % 3).astype(np.int32)
        return Dataset(
            images, labels, ("a", "b", "c"), "numbered", images[:30], labels[:30]
        )


def test_blocks_are_means_of_what_is_not_cropped():
    found = Reduced(Numbered(), crop=1, block=2).load()
    assert found.inputs.shape == (60, 2, 2, 1)
    want = np.repeat(np.arange(60), 4).reshape(60, 2, 2)
    want[:, 0, 0] += 1
    np.testing.assert_array_equal(found.inputs[..., 0], want)


def test_a_sample_is_fixed_and_has_every_class():
    source = Reduced(Numbered(), train=12, test=6)
    first, second = source.load(), source.load()
    np.testing.assert_array_equal(first.inputs, second.inputs)
    assert len(first.inputs) == 12 and len(first.test_inputs) == 6
    assert np.bincount(first.labels).min() >= 3
    assert len(np.unique(first.inputs[:, 2, 2, 0])) == 12
    assert "12 training and 6 test images of 6x6" in first.notes[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Reduced(Numbered(), block=4).load(), "blocks of 4 do not divide"),
        (lambda: Reduced(Numbered(), crop=3).load(), "cropping 3"),
        (lambda: Reduced(Numbered(), train=61).load(), "61 images.*there are 60"),
        (lambda: Reduced(Digits()).load(), "has no test set"),
        (lambda: Reduced(Numbered(), block=0), "block is 0"),
    ],
)
def test_what_cannot_be_reduced_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()

"""A data set checks itself when built."""

import numpy as np
import pytest

from nas.data import Dataset
from nas.errors import UserError

RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    """Random grey levels."""
    return RNG.integers(0, 256, shape, np.uint8)


def valid_fields() -> dict:
    return {
        "inputs": pixels(4, 2, 3, 1),
        "labels": np.array([0, 1, 0, 1], np.int32),
        "class_names": ("cat", "dog"),
        "source": "here",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.zeros((4, 2, 3, 1), np.float32)}, "float32"),
        ({"inputs": pixels(4, 2, 3)}, r"\[4, 2, 3\]"),
        ({"inputs": pixels(0, 2, 3, 1)}, "not empty"),
        ({"labels": np.array([0, 1, 0, 1])}, "int64"),
        ({"labels": np.array([0, 1, 0], np.int32)}, r"int32 \[4\].*\[3\]"),
        ({"labels": np.array([0, 1, 2, 5], np.int32)}, "label 2 at index 2.* 0 to 1"),
        ({"labels": np.array([0, -1, 0, 1], np.int32)}, "label -1 at index 1"),
        ({"class_names": ("cat",)}, "at least two"),
        ({"class_names": ("cat", "cat")}, "more than once: cat"),
        ({"test_inputs": pixels(1, 2, 3, 1)}, "only images"),
        (
            {"test_inputs": pixels(1, 3, 3, 1), "test_labels": np.array([0], np.int32)},
            "3x3x1.*2x3x1",
        ),
        (
            {"test_inputs": pixels(1, 2, 3, 1), "test_labels": np.array([9], np.int32)},
            "test label 9 at index 0",
        ),
    ],
)
def test_dataset_refuses_what_is_wrong_and_names_its_source(change, message):
    Dataset(**valid_fields())
    with pytest.raises(UserError, match="(?s)here.*" + message):
        Dataset(**valid_fields() | change)

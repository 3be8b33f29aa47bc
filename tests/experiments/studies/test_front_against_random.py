"""The study's numbers: scale-free volumes, and differences paired by seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.studies.front_against_random import difference, volumes

FRONT = np.array([[0.1, 9e6], [0.4, 2e6], [2.3, 1e6]])


def test_volume_is_the_known_area():
    # The common front spans a unit square, and the box a tenth more on either side.
    found = volumes({"corners": [[0, 1], [1, 0]], "ideal": [[0, 0]]})
    assert found["ideal"] == pytest.approx(1)
    found = volumes({"corners": [[0, 1], [1, 0]], "one": [[0, 1]]})
    assert found["corners"] == pytest.approx((1.1 * 0.1 * 2 - 0.1**2) / 1.1**2)
    assert found["one"] == pytest.approx(1.1 * 0.1 / 1.1**2)


@given(st.floats(1e-3, 1e9), st.floats(-5, 5))
def test_volume_has_no_unit(factor, offset):
    moved = FRONT * np.array([1, factor]) + np.array([offset, 0])
    before = volumes({"a": FRONT, "b": FRONT[:2]})
    after = volumes({"a": moved, "b": moved[:2]})
    assert after == pytest.approx(before)


def test_a_larger_front_has_a_larger_volume():
    found = volumes({"all": FRONT, "some": FRONT[1:]})
    assert found["all"] > found["some"]


def test_differences_are_paired_by_seed():
    seeds = [
        {"hypervolume": {"own": {"search": b + 0.01}, "random": {"search": b}}}
        for b in (0.2, 0.9, 0.5, 0.7, 0.1)
    ]
    found = difference(seeds, "own", "search")
    # Seeds differ by far more than the controllers do, and yet the interval is tight.
    assert found["mean"] == pytest.approx(0.01)
    assert found["high"] - found["low"] < 1e-9
    assert found["wins"] == 5

"""The study's numbers: scale-free volumes, and differences paired by seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.studies.front_against_random import difference, volume

POINTS = np.array([[0.1, 9e6], [0.4, 2e6], [2.3, 1e6]])


def test_volume_is_the_known_area():
    # One point at the best of both, of a box that reaches a tenth beyond the worst.
    assert volume(POINTS.min(0)[None], POINTS) == pytest.approx(1)
    # At the worst of both: a tenth by a tenth of 1.1 by 1.1.
    assert volume(POINTS.max(0)[None], POINTS) == pytest.approx(0.1**2 / 1.1**2)


@given(st.floats(1e-3, 1e9), st.floats(-5, 5))
def test_volume_has_no_unit(factor, offset):
    moved = POINTS * np.array([1, factor]) + np.array([offset, 0])
    front, moved_front = POINTS[:2], moved[:2]
    assert volume(moved_front, moved) == pytest.approx(volume(front, POINTS))


def test_a_larger_front_has_no_smaller_volume():
    assert volume(POINTS, POINTS) > volume(POINTS[1:], POINTS)


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

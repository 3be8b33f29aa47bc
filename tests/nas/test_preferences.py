"""Preferences cover the simplex, its corners first of all."""

import numpy as np
import pytest

from nas.preferences import spread


@pytest.mark.parametrize("num", [1, 2, 8, 20])
@pytest.mark.parametrize("num_objectives", [1, 2, 3, 4])
def test_preferences_are_spread_over_the_simplex(num, num_objectives):
    rows = spread(num, num_objectives)
    assert rows.shape == (num, num_objectives) and rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-6)
    assert rows[0].tolist() == [1.0] + [0.0] * (num_objectives - 1)
    if num_objectives > 1:
        assert len(np.unique(rows, axis=0)) == num
    if num >= num_objectives > 1:
        assert {tuple(row) for row in np.eye(num_objectives)} <= set(map(tuple, rows))


def test_between_two_objectives_they_go_in_equal_steps():
    rows = spread(5, 2)
    np.testing.assert_allclose(rows[:, 1], [0, 0.25, 0.5, 0.75, 1])

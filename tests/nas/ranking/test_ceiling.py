"""The truth against itself, on seeds whose noise is known."""

import numpy as np
import pytest

from nas.errors import UserError
from nas.ranking.ceiling import ceiling
from nas.ranking.curve import Curve


def test_noise_of_known_size_gives_the_tau_that_it_must():
    # Two seeds with variance 1 of signal and s^2 of noise correlate by 1 / (1 + s^2).
    rng = np.random.default_rng(0)
    noise, n, seeds = 0.5, 1500, 4
    truth = rng.normal(size=(n, 1)) + noise * rng.normal(size=(n, seeds))
    found = ceiling(truth)
    pair = 1 / (1 + noise**2)
    others = 1 / np.sqrt((1 + noise**2) * (1 + noise**2 / (seeds - 1)))
    assert found.seed_to_seed == pytest.approx(2 / np.pi * np.arcsin(pair), abs=0.02)
    assert found.seed_to_others == pytest.approx(
        2 / np.pi * np.arcsin(others), abs=0.02
    )
    assert found.seed_to_others > found.seed_to_seed and found.spread < 0.02


def test_equal_seeds_agree_and_one_seed_knows_no_ceiling():
    column = np.arange(9.0)[:, None]
    assert ceiling(np.repeat(column, 3, 1)).seed_to_seed == pytest.approx(1)
    alone = ceiling(column)
    assert alone.seed_to_seed is None and alone.seed_to_others is None
    assert alone.spread is None and alone.seeds == 1


def test_a_missing_seed_is_refused_by_its_place():
    truth = np.arange(10.0).reshape(5, 2)
    truth[4, 1] = np.nan
    with pytest.raises(UserError, match=r"truth of seed 1\[4\]"):
        ceiling(truth)
    with pytest.raises(UserError, match=r"\[P, S\]"):
        ceiling(np.arange(5.0))


def test_a_curve_tells_the_mean_and_the_spread_of_its_end():
    curve = Curve((1, 2, 3, 4), (0.9, 0.2, None, 0.4))
    assert curve.last(3) == {
        "mean": pytest.approx(0.3),
        "std": pytest.approx(0.1),
        "points": 2,
    }
    assert Curve((1,), (None,)).last(5) == {"mean": None, "std": None, "points": 0}
    with pytest.raises(UserError, match="ascending"):
        Curve((2, 1), (0.1, 0.2))
    with pytest.raises(UserError, match="one for each step"):
        Curve((1, 2), (0.1,))

"""Predictors on architectures that they have not seen, beside a score that knows."""

import numpy as np
import pytest

from nas.errors import UserError
from nas.ranking.held_out import held_out
from predictors.ridge_regression import Ridge


def test_a_predictor_is_tried_on_what_it_has_not_seen():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    learns = held_out(Ridge(), x, x @ [1.0, 2, 3, 4], sample=30, draws=4)
    assert learns.tau > 0.95 and learns.n == 90 and learns.draws == 4
    assert learns.low <= learns.tau <= learns.high and learns.beside is None
    # With as many features as architectures, what was seen is fitted exactly.
    noise = held_out(Ridge(), rng.normal(size=(120, 60)), rng.normal(size=120))
    assert abs(noise.tau) < 0.15 and noise.low < noise.tau < noise.high


def test_the_interval_holds_the_draw_of_architectures_that_it_is_tried_on():
    # A single fit: the spread over fits is none, and few are left to try it on.
    rng = np.random.default_rng(1)
    x = rng.normal(size=(70, 3))
    truth = x @ [1.0, 2, 3] + 2 * rng.normal(size=70)
    once = held_out(Ridge(), x, truth, draws=1)
    assert once.high - once.low > 0.2
    more = rng.normal(size=(700, 3))
    wide = held_out(
        Ridge(), more, more @ [1.0, 2, 3] + 2 * rng.normal(size=700), draws=1
    )
    assert wide.high - wide.low < 0.5 * (once.high - once.low)


def test_a_score_beside_it_is_tried_on_the_same_architectures():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 3))
    truth = x @ [1.0, 2, 3] + rng.normal(size=200)
    knows = held_out(Ridge(), x, truth, beside=x[:, 0], draws=5)
    assert knows.beyond == pytest.approx(knows.tau - knows.beside)
    assert 0.2 < knows.beyond_low < knows.beyond < knows.beyond_high
    copies = held_out(Ridge(), x[:, 2:], truth, beside=x[:, 2], draws=5)
    assert copies.beyond == copies.beyond_low == copies.beyond_high == 0


def test_what_cannot_be_fitted_and_tried_is_refused():
    x = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(UserError, match="50 of 50"):
        held_out(Ridge(), x, np.arange(50.0))
    with pytest.raises(UserError, match=r"2 architectures were measured.* at least 3"):
        held_out(Ridge(), x, np.arange(50.0), sample=2)
    with pytest.raises(UserError, match="beside a predictor has the shape"):
        held_out(Ridge(), x, np.arange(50.0), beside=x[:9, 0], sample=9)

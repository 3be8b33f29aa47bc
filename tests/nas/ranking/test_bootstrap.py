"""Resamples against repeated rows, and the interval against a known correlation."""

import numpy as np
import pytest
from scipy import stats

from nas.errors import UserError
from nas.ranking import bootstrap
from nas.ranking.bootstrap import draw_counts, each, interval, taus
from nas.ranking.correlation import partial_tau, tau_b


def test_counts_give_what_repeated_rows_give(monkeypatch):
    rng = np.random.default_rng(0)
    truth, estimate = rng.integers(0, 9, 30), rng.integers(0, 9, 30)
    counts = draw_counts(rng, 30, 20)
    assert (counts.sum(1) == 30).all()
    expected = []
    for row in counts.astype(int):
        rows = np.repeat(np.arange(30), row)
        expected.append(stats.kendalltau(truth[rows], estimate[rows])[0])
    np.testing.assert_allclose(taus(counts, truth, estimate), expected, rtol=1e-12)
    monkeypatch.setattr(bootstrap, "MATRIX", 10)
    np.testing.assert_allclose(taus(counts, truth, estimate), expected, rtol=1e-12)


def test_one_of_each_is_the_tau_itself():
    rng = np.random.default_rng(1)
    x, y, z = rng.normal(size=(3, 25))
    once = np.ones((1, 25))
    pairs = [(x, y), (x, z), (y, z)]
    drawn = [taus(once, a, b) for a, b in pairs]
    assert drawn[0][0] == pytest.approx(tau_b(x, y))
    expected = partial_tau(*(tau_b(a, b) for a, b in pairs))
    assert each(partial_tau, *drawn)[0] == pytest.approx(expected)
    assert np.isnan(each(partial_tau, *drawn[:2], np.array([np.nan])))[0]


def test_classes_are_drawn_together():
    classes = np.array([5, 7, 5, 9, 7, 5])
    counts = draw_counts(np.random.default_rng(0), 6, 50, classes)
    for name in np.unique(classes):
        own = counts[:, classes == name]
        assert (own == own[:, :1]).all()
    assert (counts[:, [0, 1, 3]].sum(1) == 3).all()
    with pytest.raises(UserError, match="classes"):
        draw_counts(np.random.default_rng(0), 5, 50, classes)


def test_the_interval_holds_the_tau_of_a_gaussian_copula():
    # Of a gaussian copula tau is 2 / pi arcsin(rho) (Kruskal, 1958).
    rho, trials, n = 0.6, 200, 60
    expected = 2 / np.pi * np.arcsin(rho)
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(trials):
        x = rng.normal(size=n)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)
        low, high = interval(taus(draw_counts(rng, n, 200), x, np.exp(y)))
        held += low <= expected <= high
    # Binomial: three standard errors of 0.95 at 200 trials are 0.046; 200 resamples
    # and the percentile method lose a little.
    assert 0.88 <= held / trials <= 0.99


def test_an_interval_of_what_mostly_does_not_exist_is_none():
    values = np.full(100, np.nan)
    values[:40] = 0.5
    assert interval(values) == (None, None)
    values[:60] = 0.5
    assert interval(values) == (0.5, 0.5)

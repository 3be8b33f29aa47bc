"""Ratios of alternating blocks: load that both meet cancels, and turns are fair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.benchmarks.blocks import alternate, bootstrap, ratio


@given(
    st.lists(st.floats(0.1, 50), min_size=10, max_size=30),
    st.floats(0.05, 20),
)
def test_load_on_a_whole_round_cancels(load, slower):
    base = np.asarray(load)
    found = ratio(slower * base, base)
    assert found.median == pytest.approx(slower)
    assert found.low == pytest.approx(slower)
    assert found.high == pytest.approx(slower)
    assert found.rounds == len(load)


def test_every_contestant_does_every_round_and_is_first_in_turn():
    log, now = [], [0.0]

    def block(name, seconds):
        def run(number):
            log.append((name, number))
            now[0] += seconds

        return run

    times = alternate(
        {"a": block("a", 1.0), "b": block("b", 3.0)},
        10,
        warm_up=2,
        clock=lambda: now[0],
    )
    assert log[:4] == [("a", 0), ("a", 0), ("b", 0), ("b", 0)]
    assert log[4:8] == [("a", 0), ("b", 0), ("b", 1), ("a", 1)]
    assert sorted(log[4:]) == [(n, i) for n in "ab" for i in range(10)]
    np.testing.assert_allclose(times["a"], 1.0)
    np.testing.assert_allclose(times["b"], 3.0)


def test_one_round_that_was_disturbed_moves_no_median():
    base = np.ones(11)
    disturbed = base.copy()
    disturbed[3] = 100
    assert ratio(disturbed, base).median == 1


def test_too_few_rounds_are_refused():
    with pytest.raises(ValueError, match="rounds is 9"):
        alternate({"a": lambda number: None}, 9)


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(5, 2, size=400)
    low, high = bootstrap(values, np.mean)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)

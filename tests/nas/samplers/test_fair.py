"""Strict fairness is a count, and counts are exact."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.samplers import Fair
from nas.samplers.fair import deal
from tests.nas.samplers.parts import CELLS, UNEVEN, draws, likely, without


def counts_of(group, num):
    """How often each option is taken, `[D, O]`, of genotypes `[K, D]`."""
    return np.stack([np.bincount(column, minlength=num) for column in group.T])


def test_every_option_comes_once_in_each_group():
    drawn = draws(Fair(groups=2), CELLS, 40).genotypes
    assert drawn.shape == (40, 10, 6) and drawn.dtype == np.int32
    for step in drawn:
        for group in (step[:5], step[5:]):
            assert (counts_of(group, 5) == 1).all()
    # And groups and steps are shuffled apart from each other.
    assert len({group.tobytes() for group in drawn.reshape(80, 5, 6)}) == 80


def raw(allowed, num, seed=0):
    keys = jax.random.split(jax.random.key(seed), num)
    return np.asarray(jax.jit(jax.vmap(lambda k: deal(k, jnp.asarray(allowed))))(keys))


CUT = without(UNEVEN, operation=(1, 2, 4), width_3=(3,))
TABLES = {"all": UNEVEN.valid, "some": CUT}


@pytest.mark.parametrize("table", TABLES)
def test_fewer_options_come_equally_often_or_once_more(table):
    allowed = TABLES[table]
    groups = raw(allowed, 600)
    assert groups.shape == (600, 5, 4)
    total = np.zeros(allowed.shape, int)
    for group in groups:
        counts = counts_of(group, 5)
        assert (counts[~allowed] == 0).all()
        for row, mask in zip(counts, allowed, strict=True):
            assert np.ptp(row[mask]) <= 1
        total += counts
    # What comes once more is fair in expectation, and so is any one place of a group.
    for d, mask in enumerate(allowed):
        shares = total[d, mask] / total[d].sum()
        np.testing.assert_allclose(shares, 1 / mask.sum(), atol=0.02)
        place = np.bincount(groups[:, 2, d], minlength=5)[mask]
        assert mask.sum() == 1 or likely(place)


def test_decisions_are_shuffled_independently():
    groups = raw(CELLS.valid, 2000, seed=1)
    pairs = groups[:, 0, 0] * 5 + groups[:, 0, 3]
    assert likely(np.bincount(pairs, minlength=25))
    orders = {p: i for i, p in enumerate(itertools.permutations(range(5)))}
    seen = np.bincount([orders[tuple(g)] for g in groups[:, :, 4]], minlength=120)
    assert likely(seen)


def test_draws_are_canonical_and_allowed():
    drawn = draws(Fair(), UNEVEN, 50, CUT)
    flat = drawn.genotypes.reshape(-1, 4)
    np.testing.assert_array_equal(UNEVEN.canonical(flat), flat)
    assert CUT[np.arange(4), flat].all()
    assert drawn.genotypes.shape[1] == 5  # however little is allowed
    np.testing.assert_allclose(
        drawn.log_probability, -np.log(CUT.sum(1)).sum(), rtol=1e-6
    )
    assert (drawn.weight == 1).all()


def test_it_needs_a_group():
    with pytest.raises(UserError, match="groups"):
        Fair(groups=0)

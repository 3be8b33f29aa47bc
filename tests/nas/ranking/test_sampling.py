"""Samples of a space: all of it, or one of each stratum of costs."""

import numpy as np
import pytest

from nas.errors import UserError
from nas.ranking.sampling import stratified_sample
from search_spaces import Decision, SearchSpace

SPACE = SearchSpace("toy", tuple(Decision(f"d{i}", (1, 2, 3)) for i in range(4)))


def cost(genotypes):
    return (genotypes * 3 ** np.arange(4)).sum(1)


def test_all_are_the_space():
    found = stratified_sample(SPACE, cost, 0, 0)
    np.testing.assert_array_equal(found, SPACE.enumerate())


@pytest.mark.parametrize("num", [2, 9, 27])
def test_each_stratum_of_costs_gives_one(num):
    found = stratified_sample(SPACE, cost, num, 3)
    strata = np.sort(cost(found)) * num // 81
    np.testing.assert_array_equal(strata, np.arange(num))
    np.testing.assert_array_equal(found, stratified_sample(SPACE, cost, num, 3))
    assert (found != stratified_sample(SPACE, cost, num, 4)).any()


def test_too_many_are_refused():
    with pytest.raises(UserError, match="has 81"):
        stratified_sample(SPACE, cost, 82, 0)
    large = SearchSpace("large", tuple(Decision(f"d{i}", (1, 2)) for i in range(20)))
    with pytest.raises(UserError, match=r"too many to train all.*architectures"):
        stratified_sample(large, cost, 0, 0)
    drawn = stratified_sample(large, lambda g: g.sum(1), 5, 0)
    assert len(np.unique(drawn, axis=0)) == 5

import dataclasses

import numpy as np
import pytest

from nas.search.uniform import closest_uniform, uniform_family
from supernets import discover

SUPERNETS = discover()


@pytest.fixture(params=sorted(SUPERNETS))
def supernet(request):
    found = SUPERNETS[request.param]
    return found() if isinstance(found, type) else found


def test_family_is_legal_different_and_ascending(supernet):
    family = uniform_family(supernet)
    space = supernet.space
    np.testing.assert_array_equal(space.canonical(space.validate(family)), family)
    assert len(np.unique(family, axis=0)) == len(family) > 1
    macs = supernet.costs(family)["macs"]
    assert (np.diff(macs) >= 0).all()


def test_family_reaches_from_the_smallest_to_the_largest(supernet):
    macs = supernet.costs(uniform_family(supernet))["macs"]
    ends = np.stack([supernet.smallest(), supernet.largest()])
    np.testing.assert_array_equal(macs[[0, -1]], supernet.costs(ends)["macs"])


def test_decisions_with_as_many_options_turn_together(supernet):
    largest = supernet.largest()
    for genotype in uniform_family(supernet):
        alive = supernet.space.alive(genotype)
        places = {}
        for d, n in enumerate(supernet.space.num_options):
            rows = np.repeat(largest[None], n, axis=0)
            rows[:, d] = np.arange(n)
            cost = supernet.costs(supernet.space.canonical(rows))
            order = np.lexsort((np.arange(n), cost["params"], cost["macs"]))
            if alive[d]:
                places.setdefault(n, set()).add(order.tolist().index(genotype[d]))
        assert all(len(found) == 1 for found in places.values())


def test_closest_is_a_member_and_closest_by_ratio(supernet):
    family = uniform_family(supernet)
    macs = supernet.costs(family)["macs"].astype(float)
    for target in (macs[0] / 7, *macs, np.sqrt(macs[0] * macs[-1]), 9 * macs[-1]):
        found = closest_uniform(supernet, target)
        cost = supernet.costs(found[None])["macs"][0]
        assert (family == found).all(1).any()
        distance = np.abs(np.log(macs / target)).min()
        assert abs(np.log(cost / target)) == pytest.approx(distance)


def test_a_cost_of_nothing_is_refused(supernet):
    with pytest.raises(ValueError, match="above 0"):
        closest_uniform(supernet, 0.0)


@pytest.mark.slow
def test_family_is_the_same_again(supernet):
    again = dataclasses.replace(supernet)
    np.testing.assert_array_equal(uniform_family(supernet), uniform_family(again))

"""What searches had used up: evaluations, and charges logged beside them."""

import numpy as np
import pytest

from nas.comparison.spending import spent


def test_without_charges_each_evaluation_costs_one():
    assert spent(np.zeros(3, int), None).tolist() == [1, 2, 3]
    nothing = np.array([2, 3]), np.zeros(2)
    assert spent(np.zeros(3, int), nothing).tolist() == [1, 2, 3]
    assert spent(np.zeros(0, int), None).tolist() == []


def test_asks_are_paid_before_what_they_propose_is_evaluated():
    # Asks cost 10; the second proposed nothing new.
    charged = np.array([2, 2, 3]), np.array([10.0, 20.0, 30.0])
    assert spent(np.zeros(3, int), charged).tolist() == [11, 12, 33]


@pytest.mark.parametrize(
    ("steps", "costs"),
    [
        ([2, 4, 1, 2], [5.0, 10, 7, 14]),
        ([2, 4, 4], [5.0, 10, 10]),
    ],
)
def test_one_search_after_another(steps, costs):
    second = steps[-1]
    searches = np.repeat([0, 1], [4, second])
    found = spent(searches, (np.array(steps), np.array(costs)))
    assert found[:4].tolist() == [6, 7, 13, 14]
    assert (np.diff(found) >= 1).all()
    assert found[-1] == 4 + second + 10 + costs[-1]


def test_a_search_that_went_on_from_an_archive_pays_for_itself():
    charged = np.array([1, 2]), np.array([5.0, 10.0])
    assert spent(np.array([0, 0, 3, 3]), charged).tolist() == [1, 2, 8, 14]

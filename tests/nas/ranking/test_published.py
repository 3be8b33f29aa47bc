"""Numbers of the whole NAS-Bench-201 table, where the table is at hand."""

import numpy as np
import pytest

from nas.ranking.baselines import option_counts
from nas.ranking.ceiling import ceiling
from nas.ranking.correlation import tau_b
from predictors.linear_formula import LinearFormula
from search_spaces.nasbench201 import live_edges, nasbench201


@pytest.fixture(scope="module")
def table(nas_data):
    with np.load(nas_data / "nasbench201" / "nb201_accuracy.npz") as found:
        return dict(found)


def test_the_formula_over_live_edges_orders_the_whole_table(table):
    cells = table["ops"].astype(np.int32)
    error = 1 - table["c10_test_200ep_mean"].astype(np.float64) / 100
    names, counts = option_counts(nasbench201(), cells, live_edges(cells))
    weights = {"nor_conv_3x3": 1.5, "nor_conv_1x1": 1.0, "avg_pool_3x3": -0.5}
    score = LinearFormula(weights, names, "round numbers").predict(counts).mean
    good = error < 0.1
    assert tau_b(error, score) == pytest.approx(0.70, abs=0.01)
    assert tau_b(error[good], score[good]) == pytest.approx(0.48, abs=0.01)


def test_live_convolutions_order_it_as_parameters_do(table):
    cells = table["ops"].astype(np.int32)
    error = 1 - table["c10_test_200ep_mean"].astype(np.float64) / 100
    names, counts = option_counts(nasbench201(), cells, live_edges(cells))
    weights = {"nor_conv_3x3": 9.0, "nor_conv_1x1": 1.0}
    score = LinearFormula(weights, names, "sizes of kernels").predict(counts).mean
    good = error < 0.1
    assert tau_b(error, score) == pytest.approx(0.654, abs=0.001)
    assert tau_b(error[good], score[good]) == pytest.approx(0.445, abs=0.001)


def test_two_seeds_agree_by_nine_tenths(table):
    seeds = table["c10_test_200ep_seeds"][:, :2].astype(np.float64)
    both = seeds[np.isfinite(seeds).all(1)]
    assert len(both) == 13_400
    assert ceiling(1 - both / 100).seed_to_seed == pytest.approx(0.905, abs=0.001)

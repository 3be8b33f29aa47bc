"""The study's numbers: gaps by seed, differences paired by subnet, rankings."""

import pytest

from experiments.studies.mixture_gap import PLAIN, SUPERNET, VARIANTS, statistics_of
from supernets.weights import WeightedSupernet

SEEDS = [
    {
        "alone": [0.1, 0.2, 0.3],
        "shared": {PLAIN: [0.4, 0.5, 0.6], "layer": [0.3, 0.45, 0.5]},
    },
    {
        "alone": [0.3, 0.2],
        "shared": {PLAIN: [0.5, 0.6], "layer": [0.6, 0.5]},
    },
]


def test_a_gap_is_the_mean_over_seeds_of_what_sharing_costs():
    found = statistics_of(SEEDS, "layer")
    assert found["gap_by_seed"] == pytest.approx([0.65 / 3, 0.3])
    assert found["gap"] == pytest.approx((0.65 / 3 + 0.3) / 2)


def test_differences_are_paired_by_seed_and_subnet():
    found = statistics_of(SEEDS, "layer")["minus_plain"]
    assert found["mean"] == pytest.approx((-0.1 - 0.05 - 0.1 + 0.1 - 0.1) / 5)
    assert found["low"] <= found["mean"] <= found["high"]
    assert (found["smaller"], found["n"]) == (4, 5)
    plain = statistics_of(SEEDS, PLAIN)["minus_plain"]
    assert plain["mean"] == plain["low"] == plain["high"] == 0


def test_rankings_are_compared_within_a_seed():
    assert statistics_of(SEEDS, PLAIN)["tau"] == pytest.approx([1, -1])
    assert statistics_of(SEEDS, "layer")["tau"] == pytest.approx([1, 1])


def test_every_control_differs_from_the_mixture_in_one_thing():
    kinds = {
        name: supernet.rules[0][1]
        for name, supernet in VARIANTS.items()
        if isinstance(supernet, WeightedSupernet)
    }
    layer = kinds["layer"]
    assert (layer.experts, layer.granularity, layer.encoding) == (2, "layer", "one_hot")
    changes = {
        name: {f for f in vars(layer) if getattr(kind, f) != getattr(layer, f)}
        for name, kind in kinds.items()
    }
    assert changes == {
        "layer": set(),
        "one_expert": {"experts", "encoding"},
        "neuron": {"granularity"},
        "fixed": {"encoding"},
        "shuffled": {"encoding"},
    }
    plain = set(VARIANTS) - set(kinds)
    assert all(VARIANTS[name] == SUPERNET for name in plain)

"""The study of strategies: equal budgets, and truths that fit."""

import numpy as np
import pytest

from experiments import digits_625, mnist_625
from experiments.studies import heuristics_625, strategies, strategies_digits
from nas.data import split_dataset
from nas.ranking import TruthTable
from search_spaces.nasbench201 import nasbench201


def test_every_variant_has_the_budget_of_uniform_sampling():
    variants = strategies_digits.variants
    supernet = digits_625.experiment.supernet.with_data((8, 8, 1), 10)
    macs = supernet.costs(supernet.space.enumerate())["macs"].mean()
    ends = supernet.costs(np.stack([supernet.largest(), supernet.smallest()]))["macs"]
    paths = {
        "fair": 5 * macs,
        "sandwich": ends.sum() + 2 * macs,
        "sandwich_kl": ends.sum() + 2 * macs,
        "sandwich_alpha": ends.sum() + 2 * macs,
    }
    for name, variant in variants.items():
        if name.startswith("few_shot"):
            continue
        spent = variant.training.steps * paths.get(name, macs)
        assert spent == pytest.approx(strategies.STEPS * macs, rel=2e-3), name


def test_epochs_are_those_of_the_data():
    splits = split_dataset(digits_625.experiment.data.load(), 0)
    published = strategies_digits.variants["panda_published"].strategy
    epoch = published.sampler.steps_per_epoch
    assert epoch == len(splits.weights) // strategies.BATCH


def test_truths_that_ship_are_whole_and_of_the_space():
    for module in (digits_625, mnist_625):
        experiment = module.experiment
        table = experiment.ranking.truth.load()
        assert isinstance(table, TruthTable)
        assert table.space.hash == nasbench201(digits_625.FIXED).hash
        assert len(table.complete()) == experiment.supernet.space.size == 625
        assert len(table.seeds) == experiment.truth.seeds
        settings = table.provenance["settings"]["training"]
        assert settings["steps"] == experiment.truth.steps
        assert settings["batch_size"] == experiment.truth.batch_size


def test_heuristics_differ_from_the_base_in_one_thing():
    base, *others = heuristics_625.variants.values()
    assert base == heuristics_625.experiment
    assert len(set(map(repr, (base, *others)))) == len(others) + 1

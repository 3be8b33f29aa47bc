"""The study of published devices: what it fits, what it leaves out, what it wrote."""

import json
from pathlib import Path

import numpy as np

from experiments.studies import latency_devices as study

RESULT = Path(study.__file__).parents[1] / "results" / "latency_devices.json"


def test_models_are_held_against_networks_they_did_not_see():
    rng = np.random.default_rng(0)
    x = np.eye(4)[rng.integers(0, 4, (500, 5))].reshape(500, -1)
    macs = x @ rng.integers(1, 9, 20)
    ms = 1 + x @ rng.uniform(0, 1, 20)
    features = np.column_stack([x, macs, 2 * macs])
    found = study.errors(features, macs, ms, samples=60, seed=1)
    ours, alone = (found[name] for name in study.MODELS)
    assert ours.n == alone.n == 440
    assert ours.mape < 1e-3 < 0.02 < alone.mape
    again = study.errors(features, macs, ms, samples=60, seed=1)
    assert again == found
    means = study.summary([ours, alone])
    assert means["mape"] == (ours.mape + alone.mape) / 2


def test_the_result_has_every_device_and_both_models():
    found = json.loads(RESULT.read_text())
    assert len(found["devices"]) == 27 and found["settings"]["seeds"] == 10
    for by_model in found["devices"].values():
        assert set(by_model) == set(study.MODELS)
    medians = [
        [by_model[name]["median"] for name in study.MODELS]
        for by_model in found["devices"].values()
    ]
    assert all(ours < alone for ours, alone in medians)

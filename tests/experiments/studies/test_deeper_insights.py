"""The study on made-up measurements: aligned with the truth, and resumed from files."""

import argparse
import dataclasses

import numpy as np
import pytest

from experiments.digits_64 import experiment
from experiments.studies import deeper_insights
from experiments.studies.deeper_insights import aligned, instance, summary
from nas.errors import UserError
from nas.ranking import TruthTable
from nas.runtime.mesh import MeshConfig
from supernets import TwoNodeCellSupernet

CHILDREN = np.asarray(experiment.supernet.space.enumerate())
NUM = len(CHILDREN)


def table(order):
    own = np.arange(NUM, dtype=float)[order]
    noise = np.random.default_rng(0).normal(size=(2, len(order), 3))
    error, nll = own[:, None] + noise * np.asarray([0, 8]).reshape(2, 1, 1)
    return TruthTable(
        experiment.supernet.space,
        CHILDREN[order],
        np.arange(3, dtype=np.int32),
        error,
        nll,
        {"name": "made up"},
    )


def seed(noise):
    rng = np.random.default_rng(noise)
    found = {"trained": rng.integers(NUM, size=4)}
    for name in ("nll", "error", "average_nll", "average_error"):
        spread = 0 if name.startswith("average") else noise
        found[name] = np.arange(NUM) + spread * rng.normal(size=(4, NUM))
    return found


def test_the_truth_is_put_in_the_order_of_the_children():
    order = np.random.default_rng(1).permutation(NUM)
    found = aligned(table(order), CHILDREN)
    np.testing.assert_array_equal(found["error"][:, 0], np.arange(NUM))


def test_a_child_without_truth_is_told():
    with pytest.raises(UserError, match="lacks 1 of 64"):
        aligned(table(np.arange(NUM - 1)), CHILDREN)


def test_noise_lowers_agreement_and_means_raise_it(capsys):
    arguments = argparse.Namespace(steps=4, average=0.99)
    seeds = [seed(20), seed(21)]
    found = summary(seeds, CHILDREN, table(np.arange(NUM)), arguments)
    ways = found["numbers"]["nll / error"]
    assert ways["running mean"]["gt_tau"]["mean"] == 1
    assert ways["running mean"]["tnr"] == {"1": 1, "3": 1, "5": 1, "10": 1}
    last, over_time = ways["last weights"], ways["mean over mini-batches"]
    assert last["gt_tau"]["mean"] < over_time["gt_tau"]["mean"] < 1
    assert found["numbers"]["truth by error"]["gt_tau"]["mean"] == 1
    assert found["numbers"]["truth by nll"]["ceiling"]["seed_to_seed"] < 1
    assert set(found["costs"]) == {"macs", "params", "live_parameters"}
    assert "not measured here" in found["paper"]["of"]
    assert "GT-Tau" in capsys.readouterr().out


def test_a_seed_that_was_measured_is_read_and_other_settings_are_refused(tmp_path):
    own = seed(3)
    np.savez(tmp_path / "seed_1.npz", settings=np.asarray([50, 4, 0.9]), **own)
    arguments = argparse.Namespace(steps=50, batches=4, average=0.9, workdir=tmp_path)
    found = instance(1, CHILDREN, arguments)
    assert found.keys() == own.keys()
    np.testing.assert_array_equal(found["nll"], own["nll"])
    arguments.steps = 51
    with pytest.raises(UserError, match="other --steps"):
        instance(1, CHILDREN, arguments)


@pytest.mark.slow
def test_children_are_measured_after_each_of_the_last_batches(tmp_path, monkeypatch):
    # One device: eight that wait for one another on a busy machine give up.
    small = dataclasses.replace(
        experiment,
        supernet=TwoNodeCellSupernet(channels=1, cells=1),
        mesh=MeshConfig(data=1),
    )
    monkeypatch.setattr(deeper_insights, "experiment", small)
    arguments = argparse.Namespace(steps=5, batches=2, average=0.5, workdir=tmp_path)
    found = instance(0, CHILDREN, arguments)
    assert found["nll"].shape == found["average_error"].shape == (2, NUM)
    assert found["trained"].shape == (2,)
    assert (found["nll"][0] != found["nll"][1]).any()
    assert (found["nll"] != found["average_nll"]).any()
    again = instance(0, CHILDREN, arguments)
    np.testing.assert_array_equal(again["nll"], found["nll"])

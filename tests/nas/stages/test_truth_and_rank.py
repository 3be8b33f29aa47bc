"""Truths that are made, stopped and gone on with, and rankings against them."""

import csv
import dataclasses
import json

import jax
import numpy as np
import pytest

from nas.data import BatchOrder
from nas.errors import UserError
from nas.ranking import TruthFile, TruthTable
from nas.run import Run
from nas.runtime.mesh import MeshConfig
from nas.runtime.signals import Interrupted, StopSignals
from nas.settings import Ranking, Truth
from nas.stages.truth import alone_training
from nas.training.standalone import StandaloneTraining, standalone_key
from predictors.linear_formula import FitFormula
from predictors.zero_cost.synflow import SynFlow
from supernets.standalone import functional
from tests.nas.training.parts import ignore, tiny

TRUTH = Truth(steps=6, batch_size=16, seeds=2, architectures=4)


@pytest.fixture(scope="module")
def experiment():
    return tiny(truth=TRUTH)


@pytest.fixture(scope="module")
def made(experiment, tmp_path_factory):
    """The folder of a finished truth."""
    folder = tmp_path_factory.mktemp("truth")
    with Run(experiment, folder, notify=ignore) as run:
        run.make_truth()
    return folder


def test_a_supernet_at_one_architecture_trains_as_that_network(experiment):
    run = Run(experiment, notify=ignore)
    training = alone_training(run)
    genotype, seed = np.asarray(run.supernet.largest()), 3
    data = run.on_device("weights")
    operands = {"inputs": data.inputs, "labels": data.labels}
    ((params, _),) = training.train(genotype[None], np.asarray([seed]), operands)
    found = run.supernet.extract(params, None, genotype)["params"]

    network = functional(run.supernet.subnet(genotype))
    whole = run.supernet.init(standalone_key(seed, "init"))
    alone = StandaloneTraining(
        network,
        training.optimizer,
        run.preprocessing,
        training.augment,
        BatchOrder(len(run.splits.weights), TRUTH.batch_size),
        TRUTH.steps,
        10,
        10,
        seed,
        run.mesh,
    )
    state = alone.init(run.supernet.extract(whole, None, genotype)["params"])
    step = jax.jit(alone.step)
    for _ in range(TRUTH.steps):
        state = step(state, operands)
    for ours, theirs in zip(
        jax.tree.leaves(found), jax.tree.leaves(state["params"]), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)


def test_several_devices_train_several_architectures(experiment, made):
    spread = dataclasses.replace(experiment, mesh=MeshConfig(data=4))
    found = Run(spread, notify=ignore).make_truth()
    alone = TruthTable.load(made / "truth.npz")
    np.testing.assert_array_equal(found.genotypes, alone.genotypes)
    np.testing.assert_allclose(found.nll, alone.nll, rtol=1e-4)


def test_a_stopped_truth_goes_on_to_the_same_table(
    experiment, made, tmp_path, monkeypatch
):
    answers = iter([False, False, True])
    with monkeypatch.context() as patch:
        patch.setattr(StopSignals, "agreed", lambda self: next(answers))
        with Run(experiment, tmp_path, notify=ignore) as run:
            with pytest.raises(Interrupted):
                run.make_truth()
            part = TruthTable.load(tmp_path / "truth.npz")
            assert np.isfinite(part.error).sum() == 3
    with Run(experiment, tmp_path, notify=ignore) as run:
        run.make_truth()
    ours, theirs = tmp_path / "truth.npz", made / "truth.npz"
    assert TruthTable.load(ours).hash == TruthTable.load(theirs).hash


def test_more_seeds_are_added_and_other_settings_refused(experiment, made, tmp_path):
    (tmp_path / "truth.npz").write_bytes((made / "truth.npz").read_bytes())
    more = dataclasses.replace(experiment, truth=dataclasses.replace(TRUTH, seeds=3))
    with Run(more, tmp_path, notify=ignore) as run:
        found = run.make_truth()
    before = TruthTable.load(made / "truth.npz")
    np.testing.assert_array_equal(found.error[:, :2], before.error)
    assert np.isfinite(found.error).all() and len(set(found.nll[0])) == 3
    longer = dataclasses.replace(experiment, truth=dataclasses.replace(TRUTH, steps=7))
    with (
        Run(longer, tmp_path, notify=ignore) as run,
        pytest.raises(UserError, match="other settings"),
    ):
        run.make_truth()


# ------------------------------------------------------------------------- ranking
def test_ranking_reads_writes_and_repeats(experiment, made, tmp_path):
    source = TruthFile(str(made / "truth.npz"))
    first = experiment.supernet.space.decisions[0]
    option = first.options[-1]
    ranking = Ranking(
        source,
        other=source,
        rule=FitFormula(),
        formula=((option if isinstance(option, str) else first.name, 1.0),),
        proxies=(SynFlow(),),
    )
    ranked = dataclasses.replace(experiment, ranking=ranking)
    with Run(ranked, tmp_path, notify=ignore) as run:
        run.train()
        found = run.rank()
        values = run.evaluator.evaluate(
            run.state["params"],
            run.state["allowed"],
            source.load().genotypes,
            run.on_device("search"),
        )
    assert json.loads((tmp_path / "rank.json").read_text()) == found
    with (tmp_path / "rank.csv").open() as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose(
        [float(row["nll"]) for row in rows], values["nll"], rtol=1e-6
    )
    np.testing.assert_allclose(
        [float(row["truth_error"]) for row in rows], source.load().mean(), rtol=1e-6
    )
    wanted = {"macs", "live_parameters", "SynFlow", "fixed formula"}
    assert wanted | {"fitted formula"} <= set(found["baselines"])
    said = []
    with Run(ranked, tmp_path, notify=said.append) as run:
        assert run.rank() == found
    assert any("is what it was" in message for message in said)


def test_a_ranking_without_truth_or_on_its_examples_is_refused(
    experiment, made, tmp_path
):
    run = Run(experiment, notify=ignore)
    with pytest.raises(UserError, match="no truth to rank against"):
        run.rank()
    same = Ranking(TruthFile(str(made / "truth.npz")), split="report")
    run = Run(dataclasses.replace(experiment, ranking=same), notify=ignore)
    with pytest.raises(UserError, match="measured on the report split"):
        run.rank()

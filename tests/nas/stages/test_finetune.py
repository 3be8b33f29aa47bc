"""Members of the front that are trained on, and what they are compared with."""

import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nas.stages.standalone as standalone
from nas import Training
from nas.data import Augment
from nas.errors import UserError
from nas.evaluation import Evaluation, wilson
from nas.export import load_subnet
from nas.run import Run
from nas.runtime.mesh import put, replicated
from nas.runtime.metrics import MetricsWriter, read_scalars
from nas.runtime.signals import Interrupted
from nas.search.uniform import closest_uniform
from nas.settings import Finetune
from nas.stages.finetune import finetune
from nas.stages.standalone import Budget, fresh_weights, subnet_of, train_alone
from search_spaces import Architecture
from supernets import NASBench201Supernet
from supernets.paths import flatten

# Of the widest networks; the hand-made one of that cost has another activation.
MEMBER = "2-0"
COMPARED = ["inherited", "finetuned", "scratch", "uniform_inherited", "uniform"]


def silent(message: str) -> None:
    del message


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.fixture(scope="module")
def done(experiment, searched, tmp_path_factory) -> tuple[Path, dict]:
    """A folder after fine-tuning and training from scratch, and what was returned."""
    path = tmp_path_factory.mktemp("done") / "run"
    shutil.copytree(searched, path)
    with Run(experiment, path, notify=silent) as run:
        run.export(MEMBER)
        before = contents(path / "subnets" / MEMBER)
        found = run.finetune(MEMBER, also_scratch=True)
    after = contents(path / "subnets" / MEMBER)
    assert {n for n in before if before[n] != after[n]} == {"card.json"}
    return path, found


@pytest.fixture(scope="module")
def cells(experiment) -> Run:
    """Small cells with batch normalisation, nothing trained, nothing written."""
    return Run(
        dataclasses.replace(
            experiment,
            supernet=NASBench201Supernet(channels=2, cells=1),
            training=Training(
                steps=6,
                batch_size=16,
                log_every=2,
                checkpoint_every=2,
                augment=Augment(crop_padding=1),
            ),
            evaluation=Evaluation(calibration_batches=3, calibration_batch_size=16),
        ),
        notify=silent,
    )


def test_statistics_are_those_of_an_evaluation(cells):
    """An ordinary network with inherited weights is calibrated as the supernet is."""
    supernet = cells.supernet
    genotype = np.array([3, 2, 4, 1, 0, 3], np.int32)
    params = jax.jit(supernet.init)(jax.random.key(3))
    stacked = jax.tree.map(lambda leaf: leaf[None], params)
    own = cells.evaluator.statistics(stacked, cells.allowed, genotype)
    extracted = supernet.extract(params, own, genotype)
    network = subnet_of(cells, genotype)
    found = standalone.calibrated_stats(cells, network, extracted["params"])
    expected = flatten(extracted["stats"])
    assert expected.keys() == flatten(found).keys() != set()
    for name, value in flatten(found).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-5)

    x = cells.preprocessing(jnp.asarray(cells.splits.report.inputs[:16]))
    arch = Architecture.hard(supernet.space, jnp.asarray(genotype))
    inferred = jax.jit(network.infer)(extracted["params"], found, x)
    trained = jax.jit(network.train)(extracted["params"], x, jax.random.key(0))
    for logits, stats in ((inferred, own), (trained, None)):
        wanted = jax.jit(supernet.apply)(params, stats, arch, x).logits
        np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-5)
    assert not np.allclose(inferred, trained, atol=1e-3)


@pytest.mark.slow
def test_a_stopped_training_goes_on_bitwise(cells):
    """With batch norm and augmentation; SIGTERM arrives in the fourth step."""
    genotype = np.array([3, 2, 4, 1, 0, 3], np.int32)
    budget = Budget(steps=5, batch_size=16, learning_rate=0.05, seed=2)
    start = fresh_weights(cells, genotype, budget.seed)
    training = standalone._training(cells, genotype, budget)
    weights = cells.on_device("weights")
    data = {"inputs": weights.inputs, "labels": weights.labels}
    whole = standalone.train_standalone(training, training.init(start), data)

    saved = {}

    def save(step: int, state: dict) -> None:
        saved[step] = jax.tree.map(np.array, state)

    def stop(step: int, values: dict) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as stopped:
        standalone.train_standalone(
            training, training.init(start), data, log=stop, save=save
        )
    assert stopped.value.step == 4
    assert sorted(saved) == [2, 4]
    again = put(saved[4], replicated(training.mesh))
    again = standalone.train_standalone(training, again, data)
    jax.tree.map(np.testing.assert_array_equal, again, whole)


def test_fine_tuning_lowers_the_loss(done):
    path, found = done
    rows = read_scalars(path / "metrics.jsonl")
    losses = [
        row["value"]
        for row in rows
        if row["name"] == f"finetune/{MEMBER}_finetuned/loss"
    ]
    assert len(losses) == 5  # 20 steps, a line after every 4
    assert losses[-1] < losses[0]
    assert found["finetuned"]["nll"] < found["inherited"]["nll"]


def test_the_card_says_what_was_found(done, experiment):
    path, found = done
    card = json.loads((path / "subnets" / MEMBER / "card.json").read_text())
    assert card["finetune"] == json.loads(json.dumps(found))
    assert [name for name in found if name != "budget"] == COMPARED
    for name in COMPARED:
        entry = found[name]
        errors = round(entry["error"] * entry["num_images"])
        assert entry["error_interval"] == pytest.approx(
            wilson(errors, entry["num_images"]), abs=1e-6
        )
        assert entry["seed"] == experiment.seed
        assert entry["steps"] == (0 if "inherited" in name else 20)
    assert found["inherited"]["error"] == card["error"]
    front = json.loads((path / "front.json").read_text())
    member = next(entry for entry in front if entry["id"] == MEMBER)
    assert found["inherited"]["error"] == member["objectives"]["error"]
    assert found["scratch"]["nll"] != found["inherited"]["nll"]
    rows = read_scalars(path / "metrics.jsonl")
    logged = {row["name"]: row["value"] for row in rows}
    for name in ("finetuned", "scratch", "uniform"):
        key = f"finetune/{MEMBER}_{name}/error"
        assert logged[key] == found[name]["error"]


def test_the_hand_made_network_is_the_nearest_of_its_family(done, experiment):
    _, found = done
    supernet = experiment.supernet
    nearest = closest_uniform(supernet, found["inherited"]["macs"])
    assert found["uniform"]["id"] == supernet.space.id(nearest) != MEMBER
    assert found["uniform"]["macs"] == found["uniform_inherited"]["macs"]
    assert found["uniform"]["nll"] != found["uniform_inherited"]["nll"]


def test_the_fine_tuned_network_is_exported_beside(done, experiment):
    path, found = done
    assert {p.name for p in (path / "subnets").iterdir()} == {MEMBER}
    folder = path / "finetuned" / MEMBER
    parts = {"TwoLayers": type(experiment.supernet)}
    tuned = load_subnet(folder, parts)
    inherited = load_subnet(path / "subnets" / MEMBER, parts)
    with Run(experiment, notify=silent) as run:
        report = run.splits.report
    errors = {}
    for name, net in (("finetuned", tuned), ("inherited", inherited)):
        errors[name] = (
            np.asarray(net(report.inputs)).argmax(-1) != report.labels
        ).mean()
        assert errors[name] == pytest.approx(found[name]["error"], abs=1e-9)
    card = json.loads((folder / "card.json").read_text())
    assert card["weights"] == "fine-tuned"


class Killed(BaseException):
    """Stands for a process that is gone at once: nothing is saved any more."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "how"),
    [("finetuned", "SIGTERM"), ("scratch", "SIGKILL"), ("uniform", "SIGKILL")],
)
def test_running_again_ends_as_if_never_stopped(
    done, workdir, experiment, monkeypatch, at, how
):
    path, found = done
    scalars = MetricsWriter.scalars

    def stop(self, step, values):
        scalars(self, step, values)
        if step == 12 and f"finetune/{MEMBER}_{at}/loss" in values:
            if how == "SIGKILL":
                raise Killed
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(MetricsWriter, "scalars", stop)
        with Run(experiment, workdir, notify=silent) as run:
            run.export(MEMBER)
            with pytest.raises(Interrupted if how == "SIGTERM" else Killed):
                finetune(run, MEMBER, also_scratch=True)
    told = []
    with Run(experiment, workdir, notify=told.append) as run:
        again = finetune(run, MEMBER, also_scratch=True)
    order = ["finetuned", "scratch", "uniform"]
    assert sum("is done" in message for message in told) == order.index(at)
    assert again == found
    assert (workdir / "metrics.jsonl").read_bytes() == (
        path / "metrics.jsonl"
    ).read_bytes()
    for name in ("weights.safetensors", "architecture.json"):
        file = Path("finetuned") / MEMBER / name
        assert (workdir / file).read_bytes() == (path / file).read_bytes()


def test_what_is_done_is_not_repeated_unless_settings_change(
    done, experiment, tmp_path, monkeypatch
):
    path, found = done
    workdir = Path(shutil.copytree(path, tmp_path / "run"))
    steps = []
    train = standalone.train_standalone

    def watched(training, state, data, **options):
        steps.append((int(state["step"]), training.steps))
        return train(training, state, data, **options)

    monkeypatch.setattr(standalone, "train_standalone", watched)
    with Run(experiment, workdir, notify=silent) as run:
        assert finetune(run, MEMBER, also_scratch=True) == found
    assert steps == []
    shorter = dataclasses.replace(experiment, finetune=Finetune(steps=3, batch_size=32))
    told = []
    with Run(shorter, workdir, notify=told.append) as run:
        changed = finetune(run, MEMBER, also_scratch=False)
    assert steps == [(0, 3)]
    assert any("starts anew" in message for message in told)
    assert changed["finetuned"]["steps"] == 3
    assert changed["finetuned"]["nll"] != found["finetuned"]["nll"]
    assert "scratch" not in changed


def test_lines_that_others_wrote_meanwhile_stay(workdir, experiment):
    """One training is stopped, another one is done, the first goes on."""
    genotype = np.array([0, 0], np.int32)
    budget = Budget(steps=9, batch_size=32, learning_rate=0.01, seed=0)
    scalars = MetricsWriter.scalars
    with (
        Run(experiment, workdir, notify=silent) as run,
        pytest.MonkeyPatch.context() as p,
    ):
        start = fresh_weights(run, genotype, 0)

        def killed(self, step, values):
            scalars(self, step, values)
            raise Killed

        p.setattr(MetricsWriter, "scalars", killed)
        with pytest.raises(Killed):
            train_alone(run, "finetune", "one", genotype, start, budget)
        p.setattr(MetricsWriter, "scalars", scalars)
        train_alone(run, "finetune", "two", genotype, start, budget)
        train_alone(run, "finetune", "one", genotype, start, budget)
    rows = read_scalars(workdir / "metrics.jsonl")

    def curve(name: str) -> list[tuple[int, float]]:
        return [
            (row["step"], row["value"])
            for row in rows
            if row["name"] == f"finetune/{name}/loss"
        ]

    assert [step for step, _ in curve("two")] == [4, 8, 9]
    # What was logged before the kill is there twice, with the same value.
    assert sorted(curve("one")) == sorted([curve("two")[0], *curve("two")])


def test_only_one_member_is_taken(workdir, experiment):
    with Run(experiment, workdir, notify=silent) as run:
        with pytest.raises(UserError, match="no member '9-9'"):
            finetune(run, "9-9", also_scratch=False)
        with pytest.raises(UserError, match=f"one subnet.*{MEMBER}"):
            finetune(run, "all", also_scratch=False)


def test_a_loss_that_is_not_finite_ends_it(experiment):
    run = Run(experiment, notify=silent)
    genotype = run.supernet.largest()
    budget = Budget(steps=4, batch_size=16, learning_rate=0.05, seed=0)
    broken = jax.tree.map(
        lambda leaf: np.full_like(leaf, np.nan), fresh_weights(run, genotype, 0)
    )
    with pytest.raises(UserError, match=r"not finite at step 0 .*learning rate"):
        train_alone(run, "finetune", "broken", genotype, broken, budget)

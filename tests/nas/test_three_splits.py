"""Weights, search and report: who sees which images, found out by changing them."""

import dataclasses

import numpy as np
import pytest

from nas import Run
from nas.cli.experiments import load_experiment
from nas.data import Dataset, DataSource, ImagePreprocessing, Split
from tests.nas.training.parts import (
    EXTEND,
    Blobs,
    ignore,
    same,
    tiny,
    two_layers,
)

SPLITS = ("weights", "search", "report")


@dataclasses.dataclass(frozen=True)
class WithTestSet(DataSource):
    """Blobs whose last 60 images are an official test set."""

    def load(self) -> Dataset:
        whole = Blobs().load()
        return dataclasses.replace(
            whole,
            inputs=whole.inputs[:180],
            labels=whole.labels[:180],
            test_inputs=whole.inputs[180:],
            test_labels=whole.labels[180:],
        )


@dataclasses.dataclass
class Outcome:
    state: dict
    archive: dict
    front: np.ndarray
    members: list


def carry_out(spoiled=None, **changes) -> Outcome:
    """Train, search and re-measure, with noise for the labels of one split."""
    run = Run(tiny(**changes), notify=ignore)
    if spoiled is not None:
        split = getattr(run.splits, spoiled)
        noise = np.random.default_rng(0).permutation(split.labels).astype(np.int32)
        changed = {spoiled: Split(split.inputs, noise)}
        run.splits = dataclasses.replace(run.splits, **changed)
    state = run.train()
    front = run.search()
    loop, found = run.searched
    return Outcome(state, loop.archive(found).table(), front, list(run.front()))


@pytest.fixture(scope="module")
def outcomes():
    return {spoiled: carry_out(spoiled) for spoiled in (None, *SPLITS)}


@pytest.mark.parametrize("source", [Blobs(), WithTestSet()])
def test_splits_share_nothing(source):
    run = Run(tiny(data=source), notify=ignore)
    found = {name: {i.tobytes() for i in run.split(name).inputs} for name in SPLITS}
    dataset = run.dataset
    images = [i.tobytes() for i in dataset.inputs]
    if dataset.test_inputs is not None:
        assert found["report"] == {i.tobytes() for i in dataset.test_inputs}
        images += [i.tobytes() for i in dataset.test_inputs]
    assert len(set(images)) == 240
    assert set().union(*found.values()) == set(images)
    assert sum(map(len, found.values())) == 240
    labels = dict(
        zip(
            images,
            [
                *dataset.labels,
                *(dataset.test_labels if dataset.test_labels is not None else ()),
            ],
            strict=True,
        )
    )
    for name in SPLITS:
        split = run.split(name)
        assert [labels[i.tobytes()] for i in split.inputs] == split.labels.tolist()


def test_pixels_are_normalised_by_the_weights_split():
    run = Run(tiny(), notify=ignore)
    assert run.preprocessing == ImagePreprocessing.fit(run.splits.weights.inputs)
    assert run.preprocessing != ImagePreprocessing.fit(run.dataset.inputs)


def test_training_sees_the_weights_split_only(outcomes):
    plain = outcomes[None]
    assert same(plain.state, outcomes["search"].state)
    assert same(plain.state, outcomes["report"].state)
    assert not same(plain.state["params"], outcomes["weights"].state["params"])


def test_search_sees_the_search_split_only(outcomes):
    plain = outcomes[None]
    assert same(plain.archive, outcomes["report"].archive)
    assert (plain.front == outcomes["report"].front).all()
    assert not same(plain.archive, outcomes["search"].archive)


def test_only_the_numbers_of_the_front_are_of_the_report_split(outcomes):
    plain, spoiled = outcomes[None].members, outcomes["report"].members
    assert [m.id for m in plain] == [m.id for m in spoiled]
    for a, b in zip(plain, spoiled, strict=True):
        assert a.objectives["nll"] != b.objectives["nll"]
        assert a.objectives["macs"] == b.objectives["macs"]
        low, high = a.interval
        assert low <= a.objectives["error"] <= high


def test_front_is_measured_on_the_report_split(outcomes):
    run = Run(tiny(), notify=ignore)
    run.state = outcomes[None].state
    params = {
        layer: {name: np.asarray(leaf[0], np.float64) for name, leaf in leaves.items()}
        for layer, leaves in run.state["params"].items()
    }
    split = run.splits.report
    x = np.asarray(run.preprocessing(split.inputs), np.float64).reshape(48, -1)
    for member in outcomes[None].members:
        units = member.choices["width"]
        h = x @ params["hidden"]["kernel"][:, :units] + params["hidden"]["bias"][:units]
        h = np.tanh(h) if member.choices["activation"] == "tanh" else np.maximum(h, 0)
        logits = h @ params["classifier"]["kernel"][:units]
        logits = logits + params["classifier"]["bias"]
        error = (logits.argmax(1) != split.labels).mean()
        assert member.objectives["error"] == pytest.approx(error, abs=1e-7)


def test_strategy_that_asks_for_the_search_split_gets_it():
    strategy = load_experiment(str(EXTEND / "strategy.py"))[0].strategy
    changes = {"strategy": strategy, "supernet": two_layers()}
    plain = carry_out(**changes)
    spoiled = carry_out("search", **changes)
    alphas = [o.state["strategy"]["alphas"] for o in (plain, spoiled)]
    assert not same(*alphas)
    assert same(plain.state, carry_out("report", **changes).state)

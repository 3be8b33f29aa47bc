"""A supernet that starts from the weights of its trained largest subnet."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas import Experiment, Training
from nas.data import Digits
from nas.errors import UserError
from nas.export.weights import pack_weights
from nas.run import Run
from nas.search import RandomSearch, Search
from nas.stages.initial import start_from
from nas.stages.standalone import Budget, fresh_weights, subnet_of, train_alone
from nas.training.optimizer import SGD
from search_spaces import Architecture
from search_spaces.vision_transformer import vision_transformer
from supernets import NASBench201Supernet, Supernet, VisionTransformerSupernet
from supernets.paths import flatten, unflatten
from supernets.weights import WeightedSupernet
from tests.nas.stages.parts import load_example

SUPERNETS = {
    "cells": NASBench201Supernet(channels=2, cells=1),
    "transformer": VisionTransformerSupernet(
        space=vision_transformer("tiny", (4, 6), (1, 2), (1, 2), (1.0, 2.0)),
        head_size=4,
        patch_size=4,
    ),
}


def run_of(supernet: Supernet, **changes) -> Run:
    experiment = Experiment(
        name="initial",
        supernet=supernet,
        data=Digits(),
        training=Training(steps=1, batch_size=16),
        search=Search(RandomSearch(population=2), evaluations=2),
    )
    return Run(dataclasses.replace(experiment, **changes), notify=lambda _: None)


@pytest.fixture(
    scope="module",
    params=[pytest.param("cells", marks=pytest.mark.slow), "transformer"],
)
def run(request) -> Run:
    return run_of(SUPERNETS[request.param])


def write(path: Path, params) -> Path:
    path.write_bytes(pack_weights({"params": params, "stats": {}}))
    return path


def assert_equal(found, expected) -> None:
    found, expected = flatten(found), flatten(expected)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg="/".join(name))


def test_largest_subnet_is_back_and_the_rest_stays(run, tmp_path):
    supernet = run.supernet
    largest = supernet.largest()
    rng = np.random.default_rng(0)
    given = jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32),
        supernet.extract(jax.jit(supernet.init)(jax.random.key(5)), None, largest)[
            "params"
        ],
    )
    state = run.train_step.init(run.allowed)
    started = start_from(run, state, write(tmp_path / "weights.safetensors", given))
    params = jax.tree.map(lambda leaf: leaf[0], started["params"])
    assert_equal(supernet.extract(params, None, largest)["params"], given)

    used = supernet.activity(Architecture.hard(supernet.space, jnp.asarray(largest)))
    drawn = flatten(state["params"])
    unused = 0
    for name, value in flatten(params).items():
        idle = np.broadcast_to(np.asarray(flatten(used)[name]) == 0, value.shape)
        np.testing.assert_array_equal(value[idle], drawn[name][0][idle])
        unused += idle.sum()
    if "1x1" in str(supernet.space.decisions):
        # The largest cell is of 3x3 convolutions alone.
        assert unused > 0


def test_weights_that_were_trained_alone_compute_the_same(run, tmp_path):
    """What fine-tuning and training from scratch leave is a start for a supernet."""
    supernet = run.supernet
    largest = supernet.largest()
    budget = Budget(steps=2, batch_size=16, learning_rate=0.05, seed=1)
    start = fresh_weights(run, largest, budget.seed)
    trained = train_alone(run, "finetune", "largest", largest, start, budget)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pack_weights({"params": trained.params, "stats": trained.stats}))
    started = start_from(run, run.train_step.init(run.allowed), path)
    own = jax.tree.map(lambda leaf: leaf[0], started["params"])
    assert_equal(supernet.extract(own, None, largest)["params"], trained.params)

    x = run.preprocessing(jnp.asarray(run.splits.report.inputs[:16]))
    arch = Architecture.hard(supernet.space, jnp.asarray(largest))
    stats = supernet.calibrate(
        own, arch, run.preprocessing(jnp.asarray(run.evaluator.calibration_inputs))
    )
    found = supernet.apply(own, stats, arch, x).logits
    expected = subnet_of(run, largest).infer(trained.params, trained.stats, x)
    np.testing.assert_allclose(
        found, expected, rtol=1e-4, atol=1e-5 * float(jnp.abs(expected).max())
    )


def test_training_starts_there(tmp_path):
    """One update of next to no size leaves the weights where they were put."""
    still = SGD(learning_rate=1e-9, weight_decay=0.0)
    run = run_of(load_example("space").TwoLayers(), optimizer=still)
    largest = run.supernet.largest()
    given = fresh_weights(run, largest, seed=7)
    state = run.train(write(tmp_path / "weights.safetensors", given))
    own = jax.tree.map(lambda leaf: leaf[0], state["params"])
    found = flatten(run.supernet.extract(own, None, largest)["params"])
    for name, value in flatten(given).items():
        np.testing.assert_allclose(found[name], value, atol=1e-6)


def test_wrong_files_are_refused(run, tmp_path):
    state = run.train_step.init(run.allowed)
    missing = tmp_path / "nowhere.safetensors"
    with pytest.raises(UserError, match=r"no file .*nowhere\.safetensors"):
        start_from(run, state, missing)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights at all")
    with pytest.raises(UserError, match=r"broken\.safetensors is no safetensors file"):
        start_from(run, state, broken)

    smallest = write(
        tmp_path / "smallest.safetensors",
        fresh_weights(run, run.supernet.smallest(), seed=0),
    )
    with pytest.raises(UserError, match=r"largest subnet of .*expected .*found"):
        start_from(run, state, smallest)

    params = flatten(fresh_weights(run, run.supernet.largest(), seed=0))
    name = ("classifier", "kernel")
    wide = np.zeros((params[name].shape[0], 99), np.float32)
    path = write(tmp_path / "wide.safetensors", unflatten({**params, name: wide}))
    with pytest.raises(UserError, match=r"classifier/kernel: expected .*found.*99"):
        start_from(run, state, path)
    extra = {**params, ("head", "bias"): np.zeros(3, np.float32)}
    path = write(tmp_path / "extra.safetensors", unflatten(extra))
    with pytest.raises(UserError, match="head/bias: expected nothing"):
        start_from(run, state, path)


@pytest.mark.slow
def test_weights_made_of_others_are_refused(tmp_path):
    experts = load_example("weight").TwoExperts()
    run = run_of(
        WeightedSupernet(
            SUPERNETS["cells"],
            ((r"stage_0/edges/0/operations/3/convolution", experts),),
        )
    )
    plain = fresh_weights(run, run.supernet.largest(), seed=0)
    path = write(tmp_path / "weights.safetensors", plain)
    with pytest.raises(UserError, match="makes its weights out of others"):
        start_from(run, run.train_step.init(run.allowed), path)

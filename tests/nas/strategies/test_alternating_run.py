"""Whole runs of gradient methods: what they log, resume, and leave as it was."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas import Run
from nas.relaxations import Dirichlet
from nas.runtime.signals import Interrupted
from nas.search import DARTS, RandomSearch, Search
from nas.strategies import Alternating
from nas.training.relaxed import relax
from search_spaces import Architecture
from tests.nas.training.parts import ignore, logged, same, stop_at, tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
]

EXPERIMENT = tiny(
    strategy=Alternating(Dirichlet(), costs=("macs",), preferences=2, order=2),
    search=Search(DARTS(population=2, preferences=2, steps=1), evaluations=9),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        Run(EXPERIMENT, folder, notify=ignore) as run,
    ):
        state = run.train()
        before = jax.tree.map(np.array, state["params"])
        front = run.search()
        yield folder, run, state, before, front


def test_searching_leaves_the_weights_as_they_are(whole):
    _, run, state, before, _ = whole
    assert same(jax.tree.map(np.asarray, state["params"]), before)
    assert float(run.searched[1]["charged"]) > 0


def test_what_training_prefers_is_evaluated_first(whole):
    _, run, state, _, _ = whole
    own = jax.tree.map(lambda leaf: np.asarray(leaf[0]), state["strategy"])
    derived = run.experiment.strategy.derive(own, run.supernet.space)
    loop, found = run.searched
    first = np.unique(derived, axis=0, return_index=True)[1]
    want = derived[np.sort(first)]
    assert (loop.archive(found).genotypes[: len(want)] == want).all()


def test_alphas_are_logged_through_time(whole):
    folder, run, _, _, _ = whole
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    steps = {}
    for line in map(json.loads, lines):
        steps.setdefault(line["name"], []).append(line["step"])
    option = run.supernet.space.decisions[0]
    probability = f"alphas/1/{option.name}/{option.options[0]}"
    assert steps[f"strategy/{probability}"] == [4, 8, 12]
    assert steps["strategy/alphas/0/entropy"] == [4, 8, 12]
    assert steps["sampler_health/parameterless"] == [4, 8, 12]
    assert steps[f"controller/{probability}"] and steps["search/charged"]


def test_killed_and_run_again_it_ends_equal_to_the_last_bit(whole, tmp_path):
    folder, done, state, _, front = whole
    for stage, at in (("train", 7), ("search", 1)):
        with (
            pytest.MonkeyPatch.context() as patch,
            Run(EXPERIMENT, tmp_path, notify=ignore) as run,
        ):
            stop_at(patch, at)
            with pytest.raises(Interrupted):
                getattr(run, stage)()
        if stage == "train":
            with Run(EXPERIMENT, tmp_path, notify=ignore) as run:
                assert same(run.train(), state)
    with Run(EXPERIMENT, tmp_path, notify=ignore) as run:
        assert (run.search() == front).all()
        assert same(run.searched[1], done.searched[1])
    assert logged(tmp_path) == logged(folder)


def test_the_relaxed_objectives_are_what_is_evaluated(whole):
    """At corners, on all examples: the loss, and the share of the largest's cost."""
    _, run, state, _, _ = whole
    space, split = run.supernet.space, run.on_device("search")
    relaxed = relax(run, state)
    objectives = dataclasses.replace(relaxed.objectives, batch_size=len(split))
    genotypes = space.enumerate()[[0, -1]]
    table = run.evaluator.evaluate(state["params"], state["allowed"], genotypes, split)

    @jax.jit
    def measured(genotype, data):
        arch = Architecture.hard(space, genotype)
        key = jax.random.key(0)
        return objectives(data, arch, arch.weights, jnp.int32(0), key)

    largest = run.supernet.costs(run.supernet.largest()[None])["macs"][0]
    for i, genotype in enumerate(genotypes):
        found = np.asarray(measured(genotype, relaxed.data))
        want = [table["nll"][i], table["macs"][i] / largest]
        np.testing.assert_allclose(found, want, rtol=1e-4)
    assert 0 < relaxed.price(True) <= relaxed.price(False)


def test_a_refused_search_begins_nothing(whole, tmp_path):
    """A budget too small for one ask leaves no search behind that others miss."""
    few = dataclasses.replace(
        EXPERIMENT.search, controller=DARTS(preferences=8, steps=9), evaluations=3
    )
    small = dataclasses.replace(EXPERIMENT, search=few)
    with Run(small, tmp_path, notify=ignore) as run:
        run.state = whole[2]
        with pytest.raises(ValueError, match="evaluations"):
            run.search()
    other = Search(RandomSearch(population=2), evaluations=2)
    with Run(
        dataclasses.replace(EXPERIMENT, search=other), tmp_path, notify=ignore
    ) as run:
        run.state = whole[2]
        assert len(run.search())

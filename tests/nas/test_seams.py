"""Every example of extending a seam, as a user's own file, through all the stages."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import supernets
from nas import Run
from nas.cli.experiments import load_experiment
from nas.evaluation import Evaluation
from nas.partition import assign
from nas.runtime.mesh import MeshConfig
from nas.runtime.signals import Interrupted
from nas.training.step import TrainStep
from search_spaces import Architecture
from supernets.weights import WeightedSupernet
from tests.nas.training.parts import (
    EXTEND,
    Blobs,
    ignore,
    logged,
    same,
    stop_at,
    two_layers,
)

SEAMS = sorted(path.stem for path in EXTEND.glob("[!_]*.py"))
# What these add is without a state; their kinds are tested where they live.
STATELESS = ("data", "loss")


def quick(experiment):
    """The same part in less time: in a smaller network, with fewer images and steps."""
    search = experiment.search
    controller = dataclasses.replace(search.controller, population=2)
    changes = {"supernet": two_layers(), "data": Blobs()}
    match seam_of(experiment):
        case "weight":
            kind = experiment.supernet.rules[0][1]
            changes["supernet"] = WeightedSupernet(two_layers(), (("hidden", kind),))
        case "partition":
            changes["partition"] = dataclasses.replace(
                experiment.partition, decision="width", options=(8, 32)
            )
        case "watcher":
            changes["watch"] = (dataclasses.replace(experiment.watch[0], every=4),)
        case "space" | "data" as own:
            name = {"space": "supernet"}.get(own, own)
            del changes[name]
    return dataclasses.replace(
        experiment,
        training=dataclasses.replace(
            experiment.training,
            steps=12,
            batch_size=16,
            log_every=4,
            checkpoint_every=5,
        ),
        search=dataclasses.replace(search, controller=controller, evaluations=6),
        evaluation=Evaluation(
            batch_size=32, calibration_batches=2, calibration_batch_size=16
        ),
        mesh=MeshConfig(data=1),
        **changes,
    )


def seam_of(experiment):
    return experiment.name.removeprefix("extend_")


@dataclasses.dataclass
class Finished:
    experiment: object
    folder: object
    run: Run
    state: dict
    front: np.ndarray
    traces: int


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in STATELESS else [])
        for name in SEAMS
    ],
)
def finished(request, tmp_path_factory):
    """An uninterrupted run of a copy of the example, outside of the repository."""
    folder = tmp_path_factory.mktemp(request.param)
    own = shutil.copy(EXTEND / f"{request.param}.py", folder / f"my_{request.param}.py")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        experiment = quick(load_experiment(str(own))[0])
        with pytest.MonkeyPatch.context() as patch:
            traces = count_traces(patch)
            with Run(experiment, folder / "run", notify=ignore) as run:
                state = run.train()
                front = run.search()
                run.front()
        yield Finished(experiment, folder / "run", run, state, front, len(traces))


def count_traces(patch):
    traces = []
    call = TrainStep.__call__

    def traced(self, state, data):
        traces.append(1)
        return call(self, state, data)

    patch.setattr(TrainStep, "__call__", traced)
    return traces


def test_one_trace(finished):
    assert finished.traces == 1
    # Splits of other sizes are other programs, architectures are not.
    sizes = {len(finished.run.split(name)) for name in ("search", "report")}
    assert finished.run.evaluator._one._cache_size() == len(sizes)


def test_it_learns_and_every_number_is_one(finished):
    assert int(finished.state["step"]) == 12
    assert (np.asarray(finished.state["bad_step"]) == -1).all()
    start = finished.run.train_step.init(finished.run.allowed)
    pairs = zip(
        *map(jax.tree.leaves, (start["params"], finished.state["params"])), strict=True
    )
    assert all(not same(before, after) for before, after in pairs)
    loop, found = finished.run.searched
    table = loop.archive(found).table()
    assert len(table["nll"]) == 6
    assert all(np.isfinite(column).all() for column in table.values())


def test_killed_and_run_again_ends_equal_to_the_last_bit(finished, tmp_path):
    # At step 7, two steps after a checkpoint; then in the middle of the search.
    for stage, at in (("train", 7), ("search", 2)):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, at)
            with (
                Run(finished.experiment, tmp_path, notify=ignore) as run,
                pytest.raises(Interrupted),
            ):
                if stage == "search":
                    run.state = finished.state
                getattr(run, stage)()
        if stage == "train":
            with Run(finished.experiment, tmp_path, notify=ignore) as run:
                assert same(run.train(), finished.state)
    with Run(finished.experiment, tmp_path, notify=ignore) as run:
        assert (run.search() == finished.front).all()
        assert same(run.searched[1], finished.run.searched[1])
        run.front()
    for name in ("archive.csv", "front.json"):
        again, once = (tmp_path / name, finished.folder / name)
        assert again.read_bytes() == once.read_bytes(), name
    assert logged(tmp_path) == logged(finished.folder)


def test_extracted_subnet_is_the_supernet(finished):
    run, state = finished.run, finished.state
    allowed = jnp.asarray(run.allowed)
    x = run.preprocessing(jnp.asarray(run.splits.search.inputs[:8]))
    for genotype in np.asarray(run.supernet.space.sample(jax.random.key(5), 3)):
        s = int(assign(allowed, jnp.asarray(genotype)))
        own = jax.tree.map(lambda leaf, s=s: leaf[s], state["params"])
        stats = run.evaluator.statistics(state["params"], allowed, genotype)
        module = run.supernet.subnet(genotype)
        extracted = run.supernet.extract(own, stats, genotype)
        supernets.load_weights(module, extracted)
        module.eval()
        arch = Architecture.hard(run.supernet.space, genotype)
        with jax.default_matmul_precision("highest"):
            want = run.supernet.apply(own, stats, arch, x).logits
            found = module(x)
        scale = float(jnp.abs(want).max())
        assert float(jnp.abs(found - want).max()) < 2e-5 * scale


# ------------------------------------------------------------- what each part is for
def only(seam):
    return pytest.mark.parametrize("finished", [seam], indirect=True)


@only("weight")
def test_experts_are_mixed_by_the_architecture(finished):
    supernet, state = finished.run.supernet, finished.state
    params = jax.tree.map(lambda leaf: leaf[0], state["params"])
    space = supernet.space
    everything = space.enumerate()
    mixed = [
        jax.tree.leaves(supernet.fold(params, Architecture.hard(space, g)))
        for g in (everything[3], everything[-2])
    ]
    assert any(not np.allclose(a, b) for a, b in zip(*mixed, strict=True))
    plain = supernet.plain.init(jax.random.key(0))
    folded = supernet.fold(params, Architecture.hard(space, everything[3]))
    assert jax.tree.structure(folded) == jax.tree.structure(plain)


@only("weight")
def test_equal_experts_are_the_plain_weight(finished):
    experts = dataclasses.replace(finished.run.supernet.rules[0][1], jitter=0.0)
    base = finished.run.supernet.base
    supernet = WeightedSupernet(base, ((finished.run.supernet.rules[0][0], experts),))
    params = supernet.init(jax.random.key(2))
    plain = base.init(jax.random.key(2))
    for genotype in base.space.enumerate()[[0, 2, 5]]:
        folded = supernet.fold(params, Architecture.hard(base.space, genotype))
        for a, b in zip(*map(jax.tree.leaves, (folded, plain)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@only("partition")
def test_each_architecture_lives_in_one_sub_supernet(finished):
    run = finished.run
    space = run.supernet.space
    everything = space.enumerate()
    columns = np.arange(space.num_decisions)
    homes = np.stack([table[columns, everything].all(-1) for table in run.allowed])
    assert (homes.sum(0) == 1).all()
    assert homes.any(1).all()
    found = [int(assign(jnp.asarray(run.allowed), jnp.asarray(g))) for g in everything]
    assert found == homes.argmax(0).tolist()
    # Each was trained on its own options only.
    counts = np.asarray(finished.state["counts"])
    assert (counts.sum((1, 2)) == 12 * space.num_decisions).all()
    assert (counts[~run.allowed] == 0).all()


@only("sampler")
def test_feedback_reaches_the_sampler(finished):
    sampled = finished.state["strategy"]
    space = finished.run.supernet.space
    norm = np.asarray(sampled["norm"])[0]
    # Widths own weights; activations own none, and keep their start.
    assert (norm[0] != 1).any()
    assert (norm[1][space.valid[1]] == 1).all()
    assert float(sampled["score"][0]) > 0
    assert np.asarray(finished.state["counts"]).sum() >= 12 * space.num_decisions


@only("strategy")
def test_strategy_derives_what_its_alphas_prefer(finished):
    state, run = finished.state["strategy"], finished.run
    own = jax.tree.map(lambda leaf: leaf[0], state)
    derived = run.experiment.strategy.derive(own, run.supernet.space)
    alphas = np.where(run.supernet.space.valid, np.asarray(own["alphas"]), -np.inf)
    assert derived.tolist() == [alphas.argmax(-1).tolist()]
    start = run.train_step.init(run.allowed)["strategy"]["alphas"]
    moved = np.abs(np.asarray(own["alphas"]) - np.asarray(start[0]))
    assert (moved[run.supernet.space.valid] > 1e-3).all()
    assert run.experiment.strategy.SPLITS == ("weights", "search")


@only("controller")
def test_controller_climbs(finished):
    loop, found = finished.run.searched
    table = loop.archive(found).table()
    assert float(found["controller"]["value"]) == table["nll"].min()


@only("data")
def test_network_was_fitted_to_the_data(finished):
    assert finished.run.supernet.num_classes == 3
    assert finished.run.dataset.source == "stripes"


# ------------------------------------------------------------------ as they are given
@pytest.mark.slow
@pytest.mark.parametrize("seam", SEAMS)
def test_example_as_it_is(seam, tmp_path):
    experiment = dataclasses.replace(
        load_experiment(str(EXTEND / f"{seam}.py"))[0], mesh=MeshConfig(data=1)
    )
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        Run(experiment, tmp_path, notify=ignore) as run,
    ):
        state = run.train()
        run.search()
        members = run.front()
    assert int(state["step"]) == experiment.training.steps
    assert min(m.objectives["error"] for m in members) < 0.8

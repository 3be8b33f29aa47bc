"""The running mean of the weights: its closed form, and who takes it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from nas import Run, Training
from nas.data_samplers import ImportanceData, Uniform
from nas.errors import UserError
from nas.losses import CrossEntropy
from nas.partition import FewShot, GradientMatching
from nas.runtime.mesh import MeshConfig, host
from nas.runtime.metrics import read_scalars
from nas.runtime.signals import Interrupted
from nas.samplers import ImportancePaths
from nas.stages.export import own_weights, pick_weights
from nas.stages.split import _inherited
from nas.strategies import Paths
from nas.training.averaging import evaluated, moved
from nas.training.subnet_aware import SubnetAwareSGD
from tests.nas.training.parts import Bench, Cycle, ignore, same, stop_at, tiny

TRAINING = Training(
    steps=12,
    batch_size=32,
    log_every=4,
    checkpoint_every=5,
    data_sampler=ImportanceData(score="features", reweight="self_normalised"),
    average=0.6,
)
# All that keeps a state of its own while it trains.
EXPERIMENT = tiny(
    training=TRAINING,
    strategy=Paths(ImportancePaths(paths=2, reweight="self_normalised")),
    optimizer=SubnetAwareSGD(groups=2),
)


UNIFORM = {"data_sampler": Uniform(), "average": 0.0}


def test_average_is_the_closed_form():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 3)).astype(np.float32)
    decay, average = 0.7, jnp.asarray(values[0])
    for t, value in enumerate(values[1:]):
        average = moved(average, jnp.asarray(value), decay, jnp.int32(t))
    kept = np.minimum(decay, (1 + np.arange(59)) / (10 + np.arange(59)))
    # How much of each is left: what came in, and what all later steps kept of it.
    left = np.concatenate([[1], 1 - kept]) * np.append(kept[::-1].cumprod()[::-1], 1)
    assert left.sum() == pytest.approx(1)
    assert (kept[20:] == 0.7).all() and kept[0] == 0.1
    np.testing.assert_allclose(average, left @ values, rtol=1e-5, atol=1e-6)
    unchanged = moved(jnp.asarray(values[0]), jnp.asarray(values[0]), 0.9, jnp.int32(3))
    np.testing.assert_array_equal(unchanged, values[0])


def test_evaluated_weights():
    state = {"params": {"w": np.zeros((2, 3))}, "allowed": np.ones((2, 1, 2), bool)}
    assert evaluated(state) is state["params"]
    state["average"] = {"w": np.ones((2, 3))}
    assert evaluated(state) is state["average"]
    own = own_weights(pick_weights(state), np.array([1]))
    np.testing.assert_array_equal(own["w"], np.ones(3))


def test_parts_of_a_split_inherit_the_average():
    state = {
        "params": jnp.zeros((2, 3)),
        "average": jnp.arange(6.0).reshape(2, 3),
        "opt_state": jnp.zeros(2),
        "strategy": jnp.zeros(2),
        "bad_step": jnp.int32([-1, -1]),
        "bad_genotype": jnp.zeros((2, 1), jnp.int32),
        "counts": jnp.ones((2, 1, 2), jnp.int32),
    }
    homes = np.array([0, 0, 1])
    new = _inherited(state, np.ones((3, 1, 2), bool), homes)
    np.testing.assert_array_equal(new["average"], state["average"][homes])
    del state["average"]
    assert "average" not in _inherited(state, np.ones((3, 1, 2), bool), homes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with Run(EXPERIMENT, folder, notify=ignore) as run:
        return folder, run, run.train()


def test_state_of_everything_that_learns_survives_a_kill(trained, tmp_path):
    _, _, state = trained
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 7)
        with (
            Run(EXPERIMENT, tmp_path, notify=ignore) as run,
            pytest.raises(Interrupted),
        ):
            run.train()
    with Run(EXPERIMENT, tmp_path, notify=ignore) as run:
        assert same(run.train(), state)


def test_average_lags_behind_and_health_is_logged(trained):
    folder, run, state = trained
    start = run.train_step.init(run.allowed)
    for first, average, last in zip(
        *map(jax.tree.leaves, (start["params"], state["average"], state["params"])),
        strict=True,
    ):
        moved_by, behind = (np.linalg.norm(last - x) for x in (first, average))
        assert 0 < behind < moved_by
    rows = read_scalars(folder / "metrics.jsonl")
    found = {
        row["name"].removeprefix("sampler_health/"): row["value"]
        for row in rows
        if row["step"] == 12 and row["name"].startswith("sampler_health/")
    }
    assert set(found) == {
        "data/distinct",
        "data/mix",
        "paths/least_probability",
        "paths/entropy",
    }
    assert found["data/mix"] == pytest.approx(0.8 * 8 / 12)
    assert 0.5 < found["data/distinct"] <= 1
    assert 0.25 / 3 < found["paths/least_probability"] <= 1 / 3


@pytest.mark.slow
def test_training_without_a_mix_is_uniform_to_the_last_bit():
    plain = Bench(tiny(training=dataclasses.replace(TRAINING, **UNIFORM)))
    sampler = ImportanceData(most=0.0)
    other = Bench(
        tiny(
            training=dataclasses.replace(TRAINING, data_sampler=sampler),
            strategy=Paths(ImportancePaths(most=0.0)),
        )
    )
    for a, b in zip(plain.states(12), other.states(12), strict=True):
        for name in ("params", "opt_state", "counts"):
            assert same(a[name], b[name]), name


@dataclasses.dataclass(frozen=True)
class NeverFinite(CrossEntropy):
    """A loss that is no number for the widest networks."""

    def __call__(self, outputs, labels):
        wide = jnp.any(outputs.features[:, 16:] != 0)
        return jnp.where(wide, jnp.nan, super().__call__(outputs, labels))


@pytest.mark.slow
def test_bad_steps_leave_scores_alone():
    sampler = Cycle(((0, 0), (1, 1), (2, 1)))
    bench = Bench(tiny(training=TRAINING, strategy=Paths(sampler, NeverFinite())))
    states = list(bench.states(4))
    assert [int(s["bad_step"][0]) for s in states] == [-1, -1, -1, 2, 2]
    data = [s["order"]["weights"] for s in states]
    assert not same(data[1]["scores"], data[2]["scores"])
    for later in data[3:]:
        assert same(data[2]["scores"], later["scores"])
        assert same(data[2]["visits"], later["visits"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"mesh": MeshConfig(data=8)},
        {
            "mesh": MeshConfig(data=4, model=2),
            "sharding": (("hidden/kernel", (None, "model")),),
        },
    ],
)
def test_devices_do_not_change_what_is_learned(trained, changes):
    _, _, state = trained
    run = Run(dataclasses.replace(EXPERIMENT, **changes), notify=ignore)
    found = run.train()
    assert same(
        host(found["order"]["weights"]["order"]),
        host(state["order"]["weights"]["order"]),
    )
    for name in ("params", "average", "strategy", "order"):
        for a, b in zip(
            *map(jax.tree.leaves, (host(found[name]), host(state[name]))), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_split_training_resumes_and_exports_its_average(tmp_path):
    experiment = dataclasses.replace(
        EXPERIMENT,
        partition=FewShot(at=(4,), score=GradientMatching(repeats=2, min_repeats=2)),
    )
    with Run(experiment, tmp_path / "once", notify=ignore) as run:
        state = run.train()
        run.search()
        run.front()
        member = run.export("best", str(tmp_path / "export"))[0]
    genotype = np.asarray(member.genotype, np.int32)
    own = own_weights(
        host({name: state[name] for name in ("allowed",)})
        | {"params": host(state["average"])},
        genotype,
    )
    kernel = run.supernet.extract(own, None, genotype)["params"]["classifier"]["kernel"]
    saved = load_file(tmp_path / "export" / member.id / "weights.safetensors")
    np.testing.assert_array_equal(saved["params/classifier/kernel"], kernel)
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 9)
        with (
            Run(experiment, tmp_path / "again", notify=ignore) as run,
            pytest.raises(Interrupted),
        ):
            run.train()
    with Run(experiment, tmp_path / "again", notify=ignore) as run:
        assert same(run.train(), state)


@pytest.mark.parametrize("average", [-0.1, 1.0])
def test_decay_out_of_range_is_refused(average):
    with pytest.raises(UserError, match="average"):
        Training(average=average)

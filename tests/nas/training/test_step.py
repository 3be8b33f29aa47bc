"""The one train step: traces, gradients, randomness, precision, and bad numbers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas import Run, Training
from nas.errors import UserError
from nas.losses import CrossEntropy
from nas.partition import Partition, Whole
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.metrics import read_scalars
from nas.samplers import Uniform
from nas.strategies import Batch, Paths
from nas.training.optimizer import SGD
from nas.training.step import TrainStep
from supernets import Outputs
from tests.nas.training.parts import Bench, Cycle, first, ignore, same, tiny

GENOTYPES = ((0, 0), (2, 1), (1, 0))


@dataclasses.dataclass(frozen=True)
class NotFinite(CrossEntropy):
    """A loss that is no number for networks of more than 16 units."""

    def __call__(self, outputs: Outputs, labels: jax.Array) -> jax.Array:
        wide = jnp.any(outputs.features[:, 16:] != 0)
        return jnp.where(wide, jnp.nan, super().__call__(outputs, labels))


@dataclasses.dataclass(frozen=True)
class ByWidth(Partition):
    """The widest networks, and the others."""

    def tables(self, space):
        wide, rest = space.valid.copy(), space.valid.copy()
        wide[0], rest[0] = [False, False, True], [True, True, False]
        return np.stack([wide, rest])


@dataclasses.dataclass(frozen=True)
class OneTable(Partition):
    def tables(self, space):
        return np.stack([space.valid])


@pytest.fixture(scope="module")
def uniform():
    """The plain step, and its first states."""
    bench = Bench(tiny())
    return bench, list(bench.states(8))


# --------------------------------------------------------------------- one trace
@pytest.mark.parametrize("partition", [Whole(), ByWidth()])
def test_one_trace_for_a_whole_training(monkeypatch, partition):
    traces, programs = [], []
    call = TrainStep.__call__

    def traced(self, state, data):
        traces.append(1)
        return call(self, state, data)

    def keep(step, shardings):
        programs.append(make(step, shardings))
        return programs[-1]

    from nas.stages import train as stage

    make = stage.make_train_step
    monkeypatch.setattr(TrainStep, "__call__", traced)
    monkeypatch.setattr(stage, "make_train_step", keep)
    state = Run(tiny(partition=partition), notify=ignore).train()
    # Every option was trained, so that this is no single architecture's trace.
    assert np.asarray(state["counts"]).sum(0)[0].min() > 0
    assert len(traces) == 1
    assert [program._cache_size() for program in programs] == [1]


# --------------------------------------------------------------- K architectures
@pytest.fixture(scope="module")
def gradients(uniform):
    """`(sampler, reduction) -> Gradients` on one batch and one set of weights."""
    bench, states = uniform
    params = jax.tree.map(lambda leaf: leaf[0], states[0]["params"])
    split = bench.data["weights"]
    indices = jnp.arange(16)
    x = bench.run.preprocessing(split["inputs"][:16])
    batches = {"weights": Batch(x, split["labels"][:16], indices)}
    allowed = jnp.asarray(bench.run.allowed[0])

    def compute(sampler, reduction="sum", loss=None):
        strategy = Paths(sampler, loss or CrossEntropy(), reduction)
        state = strategy.init(jax.random.key(0), bench.supernet.space)
        step = jax.jit(
            lambda state, key: strategy.gradients(
                bench.step.context, state, params, batches, key, allowed
            )
        )
        return step(state, jax.random.key(1))

    return compute


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_gradient_of_several_paths_is_that_of_each(gradients, reduction):
    weight = 2.0
    together = gradients(Cycle(GENOTYPES, paths=3, weight=weight), reduction)
    apart = [gradients(Cycle((genotype,))) for genotype in GENOTYPES]
    scale = weight / (3 if reduction == "mean" else 1)
    want = jax.tree.map(lambda *g: scale * sum(g), *[one.grads for one in apart])
    for found, wanted in zip(
        *map(jax.tree.leaves, (together.grads, want)), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
        assert np.abs(wanted).max() > 1e-3
    losses = [float(one.loss) for one in apart]
    assert float(together.loss) == pytest.approx(np.mean(losses), rel=1e-6)
    assert len({round(loss, 5) for loss in losses}) == 3
    accuracies = [float(one.accuracy) for one in apart]
    assert float(together.accuracy) == pytest.approx(np.mean(accuracies), abs=1e-6)
    taken = np.asarray(together.architectures.weights).argmax(-1)
    assert taken.tolist() == [list(genotype) for genotype in GENOTYPES]


def test_counts_and_used_weights_are_of_all_paths():
    bench = Bench(tiny(strategy=Paths(Cycle(((0, 0), (1, 0)), paths=2))))
    before, *_, after = bench.states(3)
    assert after["counts"].tolist() == [[[3, 3, 0], [6, 0, 0]]]
    assert int(after["strategy"][0]) == 6
    assert bench.traces == 1
    old, new = first(before["params"]), first(after["params"])
    moved = old["hidden"]["kernel"] != new["hidden"]["kernel"]
    assert moved[:, :16].mean() > 0.9
    assert not moved[:, 16:].any()


# --------------------------------------------------------------------- randomness
def test_data_order_does_not_depend_on_the_strategy(uniform):
    _, plain = uniform
    # Eight steps of 144 images by 16 stay within an epoch; 12 do not.
    bench = Bench(tiny(strategy=Paths(Uniform(paths=2))))
    states = list(bench.states(12))
    for a, b in zip(plain, states, strict=False):
        assert same(a["order"], b["order"])
    assert same(plain[0]["params"], states[0]["params"])
    assert not same(plain[8]["params"], states[8]["params"])
    order = [np.asarray(state["order"]["weights"]["order"]) for state in states]
    assert (order[9] == order[0]).all()
    assert sorted(order[10]) == sorted(order[0]) and (order[10] != order[0]).any()


def test_architectures_do_not_depend_on_the_data(uniform):
    _, plain = uniform
    training = Training(steps=12, batch_size=8, log_every=4)
    other = list(Bench(tiny(training=training)).states(8))
    for a, b in zip(plain, other, strict=True):
        assert same(a["counts"], b["counts"])
    assert np.asarray(plain[8]["counts"])[0, 0].min() > 0
    assert not same(plain[8]["params"], other[8]["params"])


def test_seed_decides_and_repeats(uniform):
    bench, states = uniform
    assert same(states[8], bench.after(8))
    step = dataclasses.replace(bench.step, seed=1)
    assert not same(states[0]["params"], step.init(bench.run.allowed)["params"])


# ---------------------------------------------------------------------- partitions
def test_one_table_is_the_plain_supernet(uniform):
    _, states = uniform
    assert same(states[8], Bench(tiny(partition=OneTable())).after(8))


def test_sub_supernets_do_not_touch_each_other():
    bench = Bench(tiny(partition=ByWidth()))
    together = bench.after(6)
    assert bench.traces == 1
    counts = np.asarray(together["counts"])
    assert (counts[0, 0] > 0).tolist() == [False, False, True]
    assert (counts[1, 0] > 0).tolist() == [True, True, False]
    alone = bench.put(bench.step.init(bench.run.allowed[:1]))
    for _ in range(6):
        alone = bench.program(alone, bench.data)
    assert same(alone["counts"][0], together["counts"][0])
    for a, b in zip(
        *map(jax.tree.leaves, (alone["params"], together["params"])), strict=True
    ):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-5, atol=1e-6)
    hidden = np.asarray(together["params"]["hidden"]["kernel"])
    assert not np.allclose(hidden[0], hidden[1])


# ----------------------------------------------------------------------- precision
def test_bfloat16_computes_beside_float32_weights(uniform):
    _, plain = uniform
    half = list(Bench(tiny(precision="bfloat16")).states(8))
    assert same(plain[0]["params"], half[0]["params"])
    for leaf in jax.tree.leaves((half[8]["params"], half[8]["opt_state"])):
        assert leaf.dtype in (jnp.float32, jnp.int32)
    loss, exact = (float(states[1]["log"]["loss"]) for states in (half, plain))
    assert loss == pytest.approx(exact, rel=0.02)
    assert loss != exact
    loss, exact = (float(states[8]["log"]["loss"]) for states in (half, plain))
    assert loss == pytest.approx(exact, rel=0.1)


# ------------------------------------------------------------------------ the log
def test_log_is_the_mean_over_its_steps(uniform, tmp_path):
    bench, _ = uniform
    single = Training(steps=10, batch_size=16, log_every=1)
    seen = [float(s["log"]["loss"]) for s in Bench(tiny(training=single)).states(10)]
    with Run(tiny(training=dataclasses.replace(single, log_every=4)), tmp_path) as run:
        run.train()
    rows = read_scalars(tmp_path / "metrics.jsonl")
    losses = {r["step"]: r["value"] for r in rows if r["name"] == "train/loss"}
    want = {4: seen[1:5], 8: seen[5:9], 10: seen[9:11]}
    assert losses.keys() == want.keys()
    for step, values in want.items():
        assert losses[step] == pytest.approx(np.mean(values), rel=1e-5)
    rates = {r["step"]: r["value"] for r in rows if r["name"] == "train/learning_rate"}
    schedule = bench.step.optimizer.rate(10)
    assert rates[4] == pytest.approx(float(schedule(np.float32(3))))
    shares = [r for r in rows if r["step"] == 10 and r["name"].startswith("sampler/w")]
    assert sum(r["value"] for r in shares) == pytest.approx(1)


# --------------------------------------------------------------------- bad numbers
BAD = Paths(Cycle((*((0, 0), (1, 1)) * 4, (2, 1))), NotFinite())


def test_bad_step_changes_nothing_from_then_on():
    bench = Bench(tiny(strategy=BAD))
    states = list(bench.states(11))
    assert [int(s["bad_step"][0]) for s in states[8:]] == [-1, 8, 8, 8]
    for name in ("params", "opt_state", "strategy", "counts"):
        assert not same(states[7][name], states[8][name])
        for later in states[9:]:
            assert same(states[8][name], later[name]), name
    assert states[9]["bad_genotype"].tolist() == [[2, 1]]
    leaves = jax.tree.leaves(states[11]["params"])
    assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_overflowing_update_is_caught():
    optimizer = SGD(learning_rate=1e30, clip_norm=0, schedule="constant")
    states = list(Bench(tiny(optimizer=optimizer)).states(6))
    bad = [int(s["bad_step"][0]) for s in states]
    step = bad[-1]
    assert 0 < step < 6
    assert same(states[step]["params"], states[6]["params"])
    leaves = jax.tree.leaves(states[6]["params"])
    assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_stage_says_where_and_keeps_the_last_good_checkpoint(tmp_path):
    experiment = tiny(strategy=BAD)
    good = Bench(experiment).after(5)
    for _ in range(2):  # run again, it stops at the same place
        with Run(experiment, tmp_path, notify=ignore) as run:
            with pytest.raises(UserError) as caught:
                run.train()
            with pytest.raises(UserError, match=r"step 5, and training has 12 steps"):
                run.search()
        message = str(caught.value)
        assert "at step 8" in message
        assert "'width': 32" in message and "'activation': 'tanh'" in message
    checkpoints = Checkpoints(tmp_path / "checkpoints" / "train")
    step, state, _ = checkpoints.restore_latest(jax.tree.map(np.asarray, good))
    checkpoints.close()
    assert step == 5
    assert same(state, jax.tree.map(np.asarray, good))
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()


def test_seeds_share_the_compiled_program():
    # As a sweep needs it: a seed is an input, and what is compiled once is kept.
    texts = set()
    for seed in (1, 2):
        bench = Bench(tiny(seed=seed))
        state = jax.eval_shape(lambda b=bench: b.step.init(b.run.allowed))
        texts.add(bench.program.lower(state, bench.data).as_text())
    assert len(texts) == 1

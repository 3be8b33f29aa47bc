"""Watchers measure what they say, and training is as it would be without them."""

import dataclasses
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas import Run
from nas.errors import UserError
from nas.ranking import TruthTable
from nas.ranking.sources import TruthSource
from nas.runtime.metrics import CLOCK
from nas.settings import Ranking
from nas.stages import train as train_stage
from nas.training.keys import role_key
from nas.watch import Effects, Extremes, Interference, RankingDuringTraining
from nas.watch.base import Watcher
from nas.watch.effects import changes, effect
from nas.watch.interference import shared_cosine
from nas.watch.ranking import sample
from search_spaces import Architecture, Decision, SearchSpace
from tests.nas.training.parts import first, ignore, same, tiny, two_layers

NESTED = SearchSpace(
    "nested",
    (
        Decision("depth", (1, 2)),
        Decision("width_1", (8, 16, 24)),
        Decision("width_2", (8, 16, 24), requires=("depth", (2,))),
        Decision("only", ("one",)),
    ),
)


@dataclasses.dataclass(frozen=True)
class MadeUp(TruthSource):
    """A truth of every architecture of a space, by a formula."""

    space: SearchSpace
    kept: int = 10**6

    def load(self) -> TruthTable:
        genotypes = self.space.enumerate()[: self.kept]
        error = (1.0 + genotypes @ np.arange(1, 1 + genotypes.shape[1])) / 100
        table = np.stack([error, error + 0.001], axis=1)
        seeds = np.arange(2, dtype=np.int32)
        return TruthTable(self.space, genotypes, seeds, table, table, {"name": "made"})


# --------------------------------------------------------------------- whole runs
WATCH = (
    Extremes(every=4),
    Interference(every=3, pairs=3, batch_size=8),
    Effects(every=6, architectures=2),
    RankingDuringTraining(every=3, architectures=6),
)


class Killed(BaseException):
    """Stands for SIGKILL inside this process."""


@pytest.fixture(scope="module")
def watched():
    return tiny(watch=WATCH, ranking=Ranking(truth=MadeUp(two_layers().space)))


@pytest.fixture(scope="module")
def whole(watched, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with Run(watched, folder, notify=ignore) as run:
        return folder, run.train()


def lines(folder):
    """The log, without what the clock decided."""
    found = (folder / "metrics.jsonl").read_text().splitlines()
    return [line for line in found if json.loads(line)["name"] not in CLOCK]


def test_weights_are_those_of_a_run_that_nobody_watches(whole):
    plain = Run(tiny(), notify=ignore).train()
    assert same(plain["params"], whole[1]["params"])
    assert same(plain["opt_state"], whole[1]["opt_state"])


def test_killed_between_checkpoints_measures_the_same_again(
    watched, whole, tmp_path, monkeypatch
):
    real = train_stage.watch

    def die(run, state, step, writer):
        if step == 7:
            raise Killed
        real(run, state, step, writer)

    with monkeypatch.context() as patch:
        patch.setattr(train_stage, "watch", die)
        with Run(watched, tmp_path, notify=ignore) as run, pytest.raises(Killed):
            run.train()
    # Step 6 was measured, and the latest checkpoint is of step 5.
    assert any(json.loads(line)["step"] == 6 for line in lines(tmp_path))
    with Run(watched, tmp_path, notify=ignore) as run:
        state = run.train()
    assert same(state, whole[1])
    assert lines(tmp_path) == lines(whole[0])


def test_every_watcher_measures_when_it_is_due_and_at_the_end(whole):
    steps: dict[str, list[int]] = {}
    values: dict[str, list[float]] = {}
    for line in lines(whole[0]):
        row = json.loads(line)
        steps.setdefault(row["name"], []).append(row["step"])
        values.setdefault(row["name"], []).append(float(row["value"]))
    assert steps["watch/largest_nll"] == [4, 8, 12]
    assert steps["watch/interference_cosine"] == [3, 6, 9, 12]
    assert steps["watch/decisions_without_effect"] == [6, 12]
    assert steps["rank/tau_nll"] == [3, 6, 9, 12]
    assert steps["rank/tau_nll_spread"] == [12]
    np.testing.assert_allclose(
        values["rank/tau_nll_spread"], np.std(values["rank/tau_nll"], ddof=1)
    )
    names = {f"watch/effect/{name}" for name in two_layers().space.names}
    assert names <= values.keys()
    assert all(v > 0 for name in names for v in values[name])
    assert values["watch/decisions_without_effect"] == [0, 0]
    cosines = np.array(values["watch/interference_cosine"])
    assert (np.abs(cosines) <= 1).all() and len(set(cosines)) == 4
    # What was logged is what the evaluator says of the trained weights.
    run = Run(tiny(), notify=ignore)
    measured = run.evaluator.evaluate(
        whole[1]["params"],
        whole[1]["allowed"],
        run.supernet.largest()[None],
        run.on_device("search"),
    )
    assert values["watch/largest_nll"][-1] == measured["nll"][0]


def test_without_a_truth_nothing_begins():
    watch = (RankingDuringTraining(),)
    with pytest.raises(UserError, match="no truth to rank against"):
        Run(tiny(watch=watch), notify=ignore)
    small = Ranking(truth=MadeUp(two_layers().space, kept=1))
    with pytest.raises(UserError, match="needs at least 2"):
        Run(tiny(watch=watch, ranking=small), notify=ignore)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Extremes(every=0), "every of Extremes is 0"),
        (lambda: Interference(pairs=0), "pairs of Interference is 0"),
        (lambda: RankingDuringTraining(architectures=1), "at least 2"),
        (lambda: tiny(watch=("nothing",)), "is no Watcher"),
    ],
)
def test_what_makes_no_sense_is_refused(build, said):
    with pytest.raises(UserError, match=said):
        build()


def test_steps_and_end_come_from_the_base_class():
    assert {c.__name__ for c in Watcher.__subclasses__()} >= {
        "Effects",
        "Extremes",
        "Interference",
        "RankingDuringTraining",
    }
    assert Extremes().summary({}) == {}


# ------------------------------------------------------------------- interference
def test_cosine_is_taken_over_what_both_use():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5))
    used_a = np.ones((2, 4, 1))
    used_a[0, 0] = used_a[1, 1] = 0
    used_b = np.array([[1.0], [0.5]])  # in use in part
    trees = {"a": jnp.float32(a), "b": jnp.float32(b)}
    found = shared_cosine(trees, {"a": jnp.float32(used_a), "b": jnp.float32(used_b)})
    one, two = (np.concatenate([a[i, 2:].ravel(), b[i]]) for i in range(2))
    wanted = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(("scale", "wanted"), [(1, 1), (3, 1), (-2, -1), (0, np.nan)])
def test_cosine_of_parallel_gradients(scale, wanted):
    # So small that their squares vanish together, but not each by itself.
    tree = jnp.float32([[1, 2], [scale, 2 * scale]]) * jnp.float32(1e-15)
    found = shared_cosine(tree, jnp.ones((2, 2), jnp.float32))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_pairs_are_compared_on_one_batch_where_both_are_active(whole):
    state = whole[1]
    run = Run(tiny(), notify=ignore)
    watcher = next(w for w in WATCH if isinstance(w, Interference))
    found = watcher.measure(run, state, 12)
    context, split = run.train_step.context, run.on_device("weights")
    data = {"inputs": split.inputs, "labels": split.labels}

    params = first(state["params"])

    @jax.jit
    def gradient(genotype, batch, key):
        arch = Architecture.hard(context.space, genotype)

        def loss(params):
            logits = context.forward(params, arch, batch.x, key).logits
            picked = jax.nn.log_softmax(logits)[jnp.arange(8), batch.labels]
            return -picked.mean()

        used = context.activity(arch)
        grads = jax.grad(loss)(params)
        return grads, jax.tree.map(
            lambda u, g: jnp.broadcast_to(u, g.shape), used, grads
        )

    cosines = []
    for pair in range(watcher.pairs):
        key = jax.random.fold_in(role_key(run.experiment.seed, "watch", 12), pair)
        k_paths, k_rows, k_augment, k_forward = jax.random.split(key, 4)
        rows = jax.random.randint(k_rows, (8,), 0, len(split), jnp.int32)
        batch = run.train_step.batch(data, rows, k_augment)
        genotypes = context.space.sample(k_paths, 2)
        if (genotypes[0] == genotypes[1]).all():
            continue
        (one, mine), (two, yours) = (
            [flat(tree) for tree in gradient(genotype, batch, k_forward)]
            for genotype in genotypes
        )
        both = (mine > 0) & (yours > 0)
        one, two = one[both], two[both]
        cosines.append(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    assert cosines
    names = ("cosine", "least", "negative")
    np.testing.assert_allclose(
        [found[f"watch/interference_{name}"] for name in names],
        [np.mean(cosines), np.min(cosines), np.mean(np.array(cosines) < 0)],
        rtol=1e-4,
    )


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


# ------------------------------------------------------------------------ effects
def test_changes_touch_one_decision_that_is_alive():
    pairs = changes(NESTED, 5, jax.random.key(0))
    assert list(pairs) == ["depth", "width_1", "width_2"]
    for name, (before, after) in pairs.items():
        d = NESTED.names.index(name)
        assert before.shape == after.shape == (5, 4)
        assert NESTED.alive(before)[:, d].all()
        np.testing.assert_array_equal(after, NESTED.canonical(after))
        assert (before[:, d] != after[:, d]).all()
        others = np.delete(np.arange(4), d)
        if name != "depth":
            np.testing.assert_array_equal(before[:, others], after[:, others])
    np.testing.assert_array_equal(pairs["depth"][0], pairs["width_1"][0])
    again = changes(NESTED, 5, jax.random.key(0))
    assert all(same(pairs[name], again[name]) for name in pairs)


def test_a_change_of_rounding_is_no_effect():
    before = np.array([1.0, 2.0])
    assert effect(before, before + 1e-8) == 0.0
    assert effect(before, before + np.array([0, 1e-3])) == pytest.approx(5e-4)
    assert effect(before, before - np.array([1.0, 0])) == 0.5


def fake_run(nll, truth=None, error=None):
    """A run whose evaluator gives what a function of the genotypes says."""

    def evaluate(params, allowed, genotypes, split):
        return {"nll": nll(genotypes), "error": (error or nll)(genotypes)}

    run = Run.__new__(Run)
    run.supernet = SimpleNamespace(space=NESTED)
    run.evaluator = SimpleNamespace(evaluate=evaluate)
    run.experiment = SimpleNamespace(seed=3, name="fake", ranking=Ranking(truth=truth))
    run.on_device = lambda name: name
    return run


STATE = {"params": None, "allowed": None}


def test_a_decision_that_nothing_reads_is_counted():
    run = fake_run(lambda g: 1.0 + 0.5 * g[:, 0] + 0.1 * g[:, 2])
    found = Effects(architectures=4).measure(run, STATE, 1)
    assert found["watch/effect/width_1"] == 0
    assert found["watch/effect/width_2"] >= 0.1
    assert found["watch/effect/depth"] >= 0.3
    assert found["watch/decisions_without_effect"] == 1
    assert Effects(architectures=4).measure(run, STATE, 9) == found


# ------------------------------------------------------------------------ ranking
def test_a_perfect_estimate_has_tau_1_and_a_reversed_one_minus_1():
    truth = MadeUp(NESTED)
    weights = np.arange(1, 5)
    run = fake_run(lambda g: g @ weights, truth, error=lambda g: -(g @ weights))
    found = RankingDuringTraining(architectures=7).measure(run, STATE, 1)
    assert found == {"rank/tau_nll": 1.0, "rank/tau_error": -1.0}


def test_an_estimate_that_says_nothing_has_no_tau():
    run = fake_run(
        lambda g: np.ones(len(g)), MadeUp(NESTED), lambda g: np.full(len(g), np.nan)
    )
    found = RankingDuringTraining().measure(run, STATE, 1)
    assert np.isnan(list(found.values())).all()


def test_the_sample_is_fixed_and_without_repetition():
    rows = sample(100, 10, 4)
    assert len(set(rows)) == 10 and (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, sample(100, 10, 4))
    assert list(rows) != list(sample(100, 10, 5))
    np.testing.assert_array_equal(sample(3, 10, 0), [0, 1, 2])


def test_spread_is_that_of_the_latest_eight():
    values = np.array([-1.0, 0.9, *np.linspace(0.1, 0.8, 8)])
    found = RankingDuringTraining().summary({"rank/tau_nll": values})
    assert found == {"rank/tau_nll_spread": pytest.approx(values[2:].std(ddof=1))}

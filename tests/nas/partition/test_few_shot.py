"""Splitting while training: tables, states, schedules, resume, refusals."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas import Run
from nas.errors import UserError
from nas.partition import FewShot, GradientMatching, assign
from nas.partition.base import Refinement, divide
from nas.runtime.mesh import host
from nas.runtime.signals import Interrupted
from nas.stages.split import split, step_after
from nas.stages.train import load_trained
from search_spaces.vision_transformer import PRESETS
from tests.nas.training.parts import Bench, ignore, same, stop_at, tiny

QUICK = GradientMatching(repeats=4, min_repeats=2, batch_size=16, stability=0.0)
TWICE = FewShot(at=(4, 8), score=QUICK)
# Runs in which everything is composed hold the same, in one case, at the gate.
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that was split twice, and its folder."""
    folder = tmp_path_factory.mktemp("few_shot")
    run = Run(tiny(partition=TWICE), folder, notify=ignore)
    state = host(run.train())
    run.close()
    return run, state, folder


def homes(tables, genotypes):
    columns = np.arange(tables.shape[1])
    return np.stack([t[columns, genotypes].all(-1) for t in tables])


# ------------------------------------------------------------------------- the tables
@settings(max_examples=8)
@given(data=st.data())
def test_splits_of_conditional_decisions_keep_every_genotype_in_one_part(data):
    space = PRESETS["vit_tiny"]
    tables = space.valid[None]
    for _ in range(data.draw(st.integers(1, 3))):
        chosen = []
        for table in tables:
            free = [d for d in range(space.num_decisions) if table[d].sum() > 1]
            d = data.draw(st.sampled_from(free))
            options = np.flatnonzero(table[d]).tolist()
            at = data.draw(st.integers(1, len(options) - 1))
            mixed = data.draw(st.permutations(options))
            groups = (tuple(sorted(mixed[:at])), tuple(sorted(mixed[at:])))
            chosen.append(Refinement(space.names[d], groups))
        before = len(tables)
        tables, parents = divide(tables, chosen, space)
        assert len(tables) == 2 * before == len(parents)
    drawn = np.asarray(space.sample(jax.random.key(1), 300))
    found = homes(tables, drawn)
    assert (found.sum(0) == 1).all()
    expected = [int(assign(jnp.asarray(tables), jnp.asarray(g))) for g in drawn[:20]]
    np.testing.assert_array_equal(found.argmax(0)[:20], expected)


def test_every_part_trains_what_it_allows_and_nothing_else(trained):
    run, state, _ = trained
    assert state["allowed"].shape[0] == 4
    everything = run.supernet.space.enumerate()
    assert (homes(state["allowed"], everything).sum(0) == 1).all()
    late = state["counts"][1::2]
    assert (late[~state["allowed"][1::2]] == 0).all()
    # Every draw is counted once: 4 of one, 4 of two and 4 of four sub-supernets.
    assert (state["counts"].sum((0, 2)) == 4 + 2 * 4 + 4 * 4).all()


def test_the_record_says_what_was_split_and_by_what(trained):
    _, state, folder = trained
    record = json.loads((folder / "partition.json").read_text())["refinements"]
    assert [entry["step"] for entry in record] == [4, 8]
    assert [len(entry["splits"]) for entry in record] == [1, 2]
    evidence = record[0]["splits"][0]["evidence"]
    assert evidence["repeats"] == 4
    assert evidence["passes"] == 4 * (3 + 2)
    names = [c["decision"] for c in evidence["candidates"]]
    assert names == ["width", "activation"]
    widths = [table["width"] for table in record[1]["allowed"]]
    options = np.array([8, 16, 32])
    for table, allowed in zip(widths, state["allowed"], strict=True):
        assert table == options[allowed[0]].tolist()


def test_search_and_export_see_the_part_of_each_architecture(trained, tmp_path):
    run, state, _ = trained
    loaded = Run(run.experiment, run.workdir.path, notify=ignore)
    assert same(host(load_trained(loaded)), state)
    loaded.search()
    members = loaded.front()
    exported = loaded.export("best", str(tmp_path))
    assert exported[0].objectives["nll"] > 0
    best = min(members, key=lambda m: m.objectives["nll"])
    genotype = np.asarray(best.genotype, np.int32)
    s = int(homes(state["allowed"], genotype[None]).argmax(0)[0])
    own = loaded.supernet.extract(
        jax.tree.map(lambda leaf: leaf[s], state["params"]), None, genotype
    )
    from safetensors.numpy import load_file

    saved = load_file(tmp_path / best.id / "weights.safetensors")
    kernel = saved["params/classifier/kernel"]
    np.testing.assert_array_equal(kernel, own["params"]["classifier"]["kernel"])
    loaded.close()


# ------------------------------------------------------------------ what parts begin as
@pytest.fixture(scope="module")
def halfway():
    bench = Bench(tiny(partition=FewShot(at=(4,), score=QUICK)))
    return bench, bench.after(4)


def test_parts_inherit_weights_and_optimiser(halfway):
    bench, before = halfway
    after = split(bench.run, before, 0, bool)
    for name in ("params", "opt_state", "strategy"):
        for s in range(2):
            part = jax.tree.map(lambda leaf, s=s: leaf[s], after[name])
            assert same(part, jax.tree.map(lambda leaf: leaf[0], before[name]))
    assert same(after["order"], before["order"])
    assert int(after["step"]) == 4


def test_measuring_sees_the_weights_split_alone_and_changes_nothing(
    halfway, monkeypatch
):
    bench, before = halfway
    seen = set()
    on_device = Run.on_device

    def watched(self, name):
        seen.add(name)
        return on_device(self, name)

    monkeypatch.setattr(Run, "on_device", watched)
    kept = jax.tree.map(np.array, before)
    after = split(bench.run, before, 0, bool)
    assert seen == {"weights"}
    assert same(jax.tree.map(np.asarray, before), kept)
    # No statistics of a norm are among what training carries on.
    assert after.keys() == before.keys()


def test_parts_that_restart_have_a_whole_schedule_ahead():
    # In Hu et al.'s code the schedule after a restart was twice as long as training.
    partition = FewShot(at=(4,), children="restart", score=QUICK)
    bench = Bench(tiny(partition=partition))
    after = split(bench.run, bench.after(4), 0, bool)
    step = step_after(bench.run, 1)
    assert step.horizon == 12 - 4
    assert same(
        jax.tree.map(lambda leaf: leaf[0], after["params"]),
        jax.tree.map(lambda leaf: leaf[0], bench.start()["params"]),
    )
    different = jax.tree.map(lambda leaf: not np.array_equal(*leaf), after["params"])
    assert any(jax.tree.leaves(different["classifier"]))
    assert int(after["step"]) == 4
    assert (np.asarray(after["counts"]) == 0).all()


def test_the_learning_rate_starts_again_with_the_parts(tmp_path):
    partition = FewShot(at=(4,), children="restart", decision="width", cut="each")
    run = Run(tiny(partition=partition), tmp_path, notify=ignore)
    run.train()
    rows = [
        json.loads(line)
        for line in (tmp_path / "metrics.jsonl").read_text().split("\n")[:-1]
    ]
    rates = {r["step"]: r["value"] for r in rows if r["name"] == "train/learning_rate"}
    rate = run.experiment.optimizer.rate(8)
    assert rates[8] == pytest.approx(float(rate(np.float32(3))))
    assert rates[12] == pytest.approx(float(rate(np.float32(7))))
    run.close()


# ----------------------------------------------------------------------------- criteria
def test_every_option_gets_a_part_of_its_own(halfway):
    bench, before = halfway
    partition = FewShot(at=(4,), decision="width", cut="each")
    run = dataclasses.replace(bench.run.experiment, partition=partition)
    after = split(Run(run, notify=ignore), before, 0, bool)
    allowed = np.asarray(after["allowed"])
    np.testing.assert_array_equal(allowed[:, 0], np.eye(3, dtype=bool))
    assert allowed[:, 1, :2].all()


def test_random_splits_are_a_function_of_the_seed_and_differ_between_seeds(halfway):
    bench, before = halfway
    found = []
    for seed in (0, 0, *range(1, 8)):
        experiment = dataclasses.replace(
            bench.run.experiment,
            partition=FewShot(at=(4,), decision="random", cut="random"),
            seed=seed,
        )
        after = split(Run(experiment, notify=ignore), before, 0, bool)
        found.append(np.asarray(after["allowed"]).tobytes())
    assert found[0] == found[1]
    assert len(set(found)) > 2


# ------------------------------------------------------------------------------- resume
@pytest.mark.parametrize(
    "told", [4, *(pytest.param(n, marks=SLOW) for n in (3, 6, 9, 11))]
)
def test_a_stopped_run_ends_bitwise_equal(trained, tmp_path, monkeypatch, told):
    _, expected, _ = trained
    run = Run(tiny(partition=TWICE), tmp_path, notify=ignore)
    with monkeypatch.context() as patch:
        stop_at(patch, told)
        with pytest.raises(Interrupted):
            run.train()
    run.close()
    again = Run(tiny(partition=TWICE), tmp_path, notify=ignore)
    assert same(host(again.train()), expected)
    again.close()


def test_one_split_into_nothing_new_is_the_plain_supernet():
    # The one part of a table that allows everything draws and trains what Whole does.
    plain, parted = Bench(tiny()), Bench(tiny(partition=TWICE))
    assert same(plain.after(4), parted.after(4))


def test_the_profile_says_that_splits_come_on_top():
    from nas.stages.profile import profile

    rows = dict(profile(Run(tiny(partition=TWICE), notify=ignore)))
    assert rows["splits"].startswith("after step 4, 8;")
    assert "splits" not in dict(profile(Run(tiny(), notify=ignore)))


# ------------------------------------------------------------------------------ devices
@SLOW
@pytest.mark.parametrize("mesh", [(1, 4), (2, 2)])
def test_parts_side_by_side_are_the_parts_in_turn(mesh):
    from nas.runtime.mesh import MeshConfig

    partition = FewShot(at=(2, 4), score=dataclasses.replace(QUICK, repeats=2))
    data, supernets = mesh
    config = MeshConfig(data=data, supernets=supernets)
    one = Run(tiny(partition=partition), notify=ignore).train()
    many = Run(tiny(partition=partition, mesh=config), notify=ignore).train()
    spec = many["params"]["classifier"]["kernel"].sharding.spec
    assert spec[0] == "supernets"
    one, many = host(one), host(many)
    np.testing.assert_array_equal(one["allowed"], many["allowed"])
    for a, b in zip(
        *map(jax.tree.leaves, (one["params"], many["params"])), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


# ----------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"at": ()}, "at is empty"),
        ({"cut": "best"}, "min_mean_within"),
        ({"children": "copy"}, "inherit, restart"),
        ({"groups": (1,)}, "at least 2 groups"),
        ({"sizes": ((3,),)}, "at least 2 groups"),
        ({"candidates": "("}, "no regular expression"),
    ],
)
def test_impossible_settings_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        FewShot(**changes)


@pytest.mark.parametrize(
    ("partition", "words"),
    [
        (FewShot(at=(4, 4)), "must rise"),
        (FewShot(at=(12,)), "training has 12"),
        (FewShot(at=(4,), decision="depth"), "width, activation"),
        (FewShot(at=(4,), candidates="edge.*"), "no decision left"),
        (FewShot(at=(4,), groups=(4,)), "no decision left"),
    ],
)
def test_partitions_that_do_not_fit_are_refused_before_training(partition, words):
    with pytest.raises(UserError, match=words):
        Run(tiny(partition=partition), notify=ignore)


def test_running_out_of_decisions_is_refused_with_what_there_is():
    partition = FewShot(at=(1, 2, 3), decision="random", cut="random")
    with pytest.raises(UserError, match="width 3, activation 2"):
        Run(tiny(partition=partition), notify=ignore).train()


@pytest.mark.parametrize(
    "changes",
    [
        {"context": "middle"},
        {"compare": "inside"},
        {"average": "median"},
        {"min_repeats": 1},
        {"stability": 1.5},
    ],
)
def test_impossible_scores_are_refused(changes):
    with pytest.raises(UserError, match=r"partition\.score"):
        GradientMatching(**changes)

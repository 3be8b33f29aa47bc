import dataclasses
import json

import pytest

from nas.comparison.outcomes import find_outcomes
from nas.errors import UserError
from nas.run import Run
from nas.runtime.signals import Interrupted
from nas.runtime.workdir import Workdir
from nas.stages import sweep as module
from nas.stages.sweep import Sweep, Variant, is_done, sweep
from nas.training.optimizer import SGD
from tests.nas.training.parts import ignore, tiny


class Fake:
    """Stands for a run: it leaves a checkpoint, and fails or stops where told to."""

    MAY_CHANGE = Run.MAY_CHANGE
    made: list[str]
    fails: dict[str, Exception]

    def __init__(self, experiment, workdir, notify, extra) -> None:
        self.workdir = Workdir(workdir)
        self.name = f"{workdir.parent.name} {experiment.seed}"
        self.made.append(self.name)
        self.workdir.write_config({"seed": experiment.seed} | (extra or {}))

    def train(self) -> None:
        if self.name in self.fails:
            raise self.fails[self.name]
        self.workdir.checkpoints.mkdir(exist_ok=True)

    def rank(self) -> None:
        self.workdir.rank.write_text("{}")

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.workdir.close()


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(Fake, "made", [], raising=False)
    monkeypatch.setattr(Fake, "fails", {}, raising=False)
    monkeypatch.setattr(module, "Run", Fake)
    return Fake


def plan(folder, **changes):
    slow = tiny(optimizer=SGD(learning_rate=0.01))
    variants = (Variant("plain", tiny(), {"experiment": "tiny"}), Variant("slow", slow))
    return Sweep(folder, **({"variants": variants, "seeds": (0, 1)} | changes))


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.json")}


def test_a_seed_of_all_variants_comes_before_the_next(fake, tmp_path):
    assert sweep(plan(tmp_path), ignore) == []
    assert fake.made == ["plain 0", "slow 0", "plain 1", "slow 1"]
    for variant in ("plain", "slow"):
        for seed in (0, 1):
            workdir = tmp_path / variant / f"seed_{seed}"
            assert (workdir / "rank.json").exists()
            assert not (workdir / "checkpoints").exists()
    config = json.loads((tmp_path / "plain/seed_1/config.json").read_text())
    command = {"experiment": "tiny", "settings": [["seed", "1"]]}
    assert config == {"seed": 1, "command": command}


def test_what_is_done_is_not_done_again(fake, tmp_path):
    sweep(plan(tmp_path), ignore)
    before, told = contents(tmp_path), []
    assert sweep(plan(tmp_path), told.append) == []
    assert len(fake.made) == 4 and contents(tmp_path) == before
    assert told == [
        f"[{k + 1}/4] {n}, seed {s}: done before."
        for k, (n, s) in enumerate(
            [("plain", 0), ("slow", 0), ("plain", 1), ("slow", 1)]
        )
    ]


def test_stopped_sweep_goes_on(fake, tmp_path):
    fake.fails["slow 0"] = Interrupted("SIGTERM", 3)
    with pytest.raises(Interrupted):
        sweep(plan(tmp_path), ignore)
    assert fake.made == ["plain 0", "slow 0"]
    fake.fails.clear()
    fake.made.clear()
    assert sweep(plan(tmp_path), ignore) == []
    assert fake.made == ["slow 0", "plain 1", "slow 1"]


def test_variant_that_fails_leaves_the_others(fake, tmp_path):
    fake.fails["plain 0"] = UserError("not finite")
    (failure,) = sweep(plan(tmp_path), ignore)
    assert (failure.variant, failure.seed, failure.reason) == ("plain", 0, "not finite")
    assert len(fake.made) == 4
    assert not (tmp_path / "plain/seed_0/done.json").exists()
    fake.made.clear()
    sweep(plan(tmp_path), ignore)
    assert fake.made == ["plain 0"]


def test_what_is_no_mistake_of_the_user_stops_everything(fake, tmp_path):
    fake.fails["plain 0"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        sweep(plan(tmp_path), ignore)


def test_another_plan_adds_to_the_folder(fake, tmp_path):
    sweep(plan(tmp_path, seeds=(0,)), ignore, {"command": "first"})
    more = plan(tmp_path, seeds=(3, 0), variants=(Variant("new", tiny()),))
    sweep(more, ignore, {"command": "second"})
    sweep(more, ignore, {"command": "second"})
    written = json.loads((tmp_path / "sweep.json").read_text())
    assert written["variants"] == ["plain", "slow", "new"]
    assert written["seeds"] == [0, 3]
    assert [c["command"] for c in written["commands"]] == ["first", "second"]
    other = plan(tmp_path, variants=(Variant("x", tiny(name="other")),))
    with pytest.raises(UserError, match="give another --workdir"):
        sweep(other, ignore)


def test_done_depends_on_settings_and_stages(fake, tmp_path):
    sweep(plan(tmp_path, stages=("train",), keep_checkpoints=True), ignore)
    where, experiment = tmp_path / "plain/seed_0", tiny(seed=0)
    assert (where / "checkpoints").exists()
    assert is_done(where, experiment, ("train",))
    assert not is_done(where, experiment, ("train", "rank"))
    assert not is_done(where, tiny(precision="bfloat16"), ("train",))
    # What changes no weight does not make a training undone.
    search = dataclasses.replace(experiment.search, evaluations=7)
    assert is_done(where, tiny(search=search), ("train",))
    (where / "done.json").write_text("[]")
    assert not is_done(where, experiment, ("train",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ()}, "at least one variant"),
        ({"seeds": (1, 1)}, "there once"),
        ({"seeds": (-1,)}, "0 or more"),
        ({"stages": ("train", "exprot")}, "allowed: train"),
        ({"stages": ("rank",)}, "allowed: train"),
        ({"variants": (Variant("a/b", tiny()),)}, "no slash"),
        ({"variants": (Variant("a", tiny()), Variant("a", tiny()))}, "only one"),
    ],
)
def test_plan_is_checked_before_anything_runs(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        plan(tmp_path, **changes)


def test_real_runs_are_compared_and_a_bad_one_is_told(tmp_path):
    short = dataclasses.replace(tiny().training, steps=4, log_every=2)
    base = tiny(training=short)
    broken = dataclasses.replace(base, optimizer=SGD(learning_rate=1e30, clip_norm=0.0))
    made = (Variant("plain", base), Variant("broken", broken))
    asked = Sweep(tmp_path, made, (0,), ("train",))
    (failure,) = sweep(asked, ignore)
    assert failure.variant == "broken" and "not finite" in failure.reason
    assert not (tmp_path / "plain/seed_0/checkpoints").exists()
    outcomes, notes = find_outcomes([tmp_path])
    assert [o.variant for o in outcomes] == ["plain"] and "broken" in notes[0]
    assert (
        outcomes[0].values["loss"] > 0 and outcomes[0].space == base.supernet.space.hash
    )

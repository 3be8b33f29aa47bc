import json

import pytest

from nas.cli.arguments import parse
from nas.cli.stages import stage_by_name
from nas.cli.sweeping import default_out, read_choices, read_seeds, read_variants
from nas.errors import UserError
from nas.stages import sweep as module
from nas.stages.sweep import Failure
from tests.nas.cli.conftest import TINY
from tests.nas.comparison.parts import write_run, write_sweep

VARIANTS = """
import dataclasses
from nas.training.optimizer import AdamW
variants = {
    "plain": experiment,
    "adam": dataclasses.replace(experiment, optimizer=AdamW()),
}
"""


@pytest.fixture
def study(folder):
    (folder / "study.py").write_text(TINY + VARIANTS, encoding="utf-8")
    return folder


def variants_of(*tokens):
    stage = stage_by_name()["sweep"]
    return read_variants(stage, parse(tokens, stage.options, stage.most))


@pytest.mark.parametrize(
    ("text", "seeds"),
    [(None, (0, 1, 2, 3, 4)), ("2", (0, 1)), ("0,3,7", (0, 3, 7)), ("7,", (7,))],
)
def test_seeds_are_counted_or_named(text, seeds):
    assert read_seeds(text) == seeds


@pytest.mark.parametrize("text", ["0", "-1", "1,-2", "x", "1.5", ","])
def test_seeds_that_are_none_are_refused(text):
    with pytest.raises(UserError, match="how many"):
        read_seeds(text)


def test_choices_name_variants_or_settings():
    assert read_choices(["strategy=a,b", "training.steps=1, 2"]) == [
        ("variant", ("a", "b")),
        ("training.steps", ("1", "2")),
    ]


@pytest.mark.parametrize(
    "texts", [["steps"], ["=1"], ["a="], ["a=1,,2"], ["a=1,1"], ["a=1", "a=2"]]
)
def test_choices_that_are_none_are_refused(texts):
    with pytest.raises(UserError, match="--vary"):
        read_choices(texts)


def test_all_variants_of_a_file_are_run_with_every_setting(study):
    name, found = variants_of("study.py", "--training.steps", "3")
    assert name == "tiny"
    assert [v.name for v in found] == ["plain", "adam"]
    assert [type(v.experiment.optimizer).__name__ for v in found] == ["SGD", "AdamW"]
    assert all(v.experiment.training.steps == 3 for v in found)
    assert found[1].command == {
        "experiment": str(study / "study.py"),
        "variant": "adam",
        "settings": [["training.steps", "3"]],
    }


def test_choices_are_combined(study):
    choices = ("--vary", "training.steps=3,4", "--vary", "variant=adam,plain")
    _, found = variants_of("study.py", *choices)
    assert [(v.name, v.experiment.training.steps) for v in found] == [
        ("adam,training.steps=3", 3),
        ("adam,training.steps=4", 4),
        ("plain,training.steps=3", 3),
        ("plain,training.steps=4", 4),
    ]
    _, found = variants_of("tiny.py", "--vary", "training.steps=3,4")
    assert [v.name for v in found] == ["training.steps=3", "training.steps=4"]
    assert [v.name for v in variants_of("tiny.py")[1]] == ["tiny"]


BAD = [
    (("sweep",), "Which experiment?"),
    (("sweep", "tiny.py", "--vary", "variant=a"), "defines no variants"),
    (("sweep", "study.py", "--vary", "variant=plan"), "Did you mean plain?"),
    (("sweep", "study.py", "--vary", "training.step=1"), "Variant plain,training"),
    (("sweep", "study.py", "--optimizer.momentum", "0.5"), "Variant adam"),
    (("sweep", "tiny.py", "--stages", "trian"), "allowed: train"),
    (("sweep", "tiny.py", "--seeds", "none"), "how many"),
    (("sweep", "wrong.py"), "is no dictionary from names"),
    (("compare",), "Compare what?"),
    (("compare", "absent"), "absent does not exist"),
    (("compare", "."), "neither config.json nor sweep.json"),
    (("compare", "runs", "--basline", "x"), "Did you mean --baseline"),
    (("compare", "runs", "--baseline", "fair"), "Allowed: uniform, panda"),
    (("compare", "runs", "--budget", "example"), "Did you mean examples"),
    (("compare", "runs", "--quantity", "taus"), "Did you mean tau"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=lambda v: " ".join(v)[:50])
def test_bad_input_gets_one_message(refused, study, argv, message):
    (study / "wrong.py").write_text(TINY + "variants = [experiment]\n")
    write_sweep(study / "runs", {"uniform": [0.5, 0.6], "panda": [0.6, 0.7]})
    assert message in refused(*argv)


def test_sweep_says_what_failed_and_what_is_next(study, nas, monkeypatch):
    asked = []

    def fake(plan, notify, provenance):
        asked.append((plan, provenance))
        return [Failure("adam", 1, "not finite")] if len(plan.variants) > 1 else []

    monkeypatch.setattr(module, "sweep", fake)
    ended = nas("sweep", "study.py", "--seeds", "2", "--stages", "train")
    assert ended.status == 2 and "adam, seed 1: not finite" in ended.err
    assert "Next: nas compare runs/tiny_sweep" in ended.out
    ended = nas(
        *("sweep", "tiny.py", "--keep-checkpoints", "--workdir", "a b", "--seeds", "1")
    )
    assert ended.status == 0 and "nas compare 'a b'" in ended.out
    (first, _), (second, provenance) = asked
    assert first.seeds == (0, 1) and first.stages == ("train",)
    assert not first.keep_checkpoints and second.keep_checkpoints
    assert provenance["command"] == (
        "nas sweep tiny.py --keep-checkpoints --workdir 'a b' --seeds 1"
    )
    assert {"date", "device", "machine", "versions"} <= provenance.keys()


def test_comparison_is_tab_separated_off_a_terminal(study, nas):
    write_sweep(study / "runs", {"uniform": [0.5, 0.6], "panda": [0.6, 0.8]})
    ended = nas("compare", "runs", "--quantity", "tau", "--quantity", "loss")
    assert ended.status == 0, ended.err
    head, *rows = (line.split("\t") for line in ended.out.splitlines())
    assert {len(row) for row in rows} == {len(head)}
    table = {(row[0], row[1]): dict(zip(head, row, strict=True)) for row in rows}
    tau = table["tau", "panda"]
    assert (tau["mean"], tau["difference"], tau["wins"]) == ("0.7", "0.15", "2")
    assert float(tau["difference low"]) < 0.15 < float(tau["difference high"])
    assert table["tau", "uniform"]["difference"] == ""
    assert table["budget/examples", "panda"]["mean"] == "6400"
    assert (
        json.loads((study / "runs/compare.json").read_text())["baseline"] == "uniform"
    )
    for name in ("compare.html", "compare_curves.png", "compare_paired.png"):
        assert (study / "runs" / name).stat().st_size > 1000


def test_comparison_of_several_folders_is_written_above_them(study, nas):
    for name in ("one", "two"):
        write_run(study / "runs" / name, tau=None)
    assert nas("compare", "runs/one", "runs/two").status == 0
    assert (study / "runs" / "compare.json").exists()
    assert default_out([study / "runs" / "one"]) == study / "runs" / "one"

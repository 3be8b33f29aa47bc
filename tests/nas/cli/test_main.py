import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nas.cli import main as command
from nas.cli.experiments import load_experiment
from nas.cli.help import stage_help
from nas.cli.overrides import apply, settings
from nas.cli.stages import STAGES
from nas.export import ExportError
from nas.runtime import doctor
from nas.runtime.checkpoint import CheckpointError
from nas.runtime.signals import Interrupted
from search_spaces import SpaceError, discover

ROOT = Path(__file__).parents[3]


def start(*argv: str, folder: Path) -> subprocess.Popen:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "nas.cli", *argv],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",)])
def test_first_screen_names_every_stage(nas, argv):
    ended = nas(*argv)
    assert ended.status == 0 and not ended.err
    for stage in STAGES:
        assert f"  {stage.name} " in ended.out
    assert max(map(len, ended.out.splitlines())) <= 88


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_help_of_a_stage_names_its_options(nas, stage):
    ended = nas(stage.name, "--help")
    assert ended.status == 0
    assert ended.out.startswith(f"Usage: nas {stage.name}")
    for option in stage.options:
        assert f"--{option.name}" in ended.out


def test_help_of_an_experiment_explains_every_setting(nas, folder):
    ended = nas("run", "tiny.py", "--help", "--training.steps", "77")
    experiment, _ = load_experiment("./tiny.py")
    text = " ".join(ended.out.split())
    changed = apply(experiment, {"training.steps": "77"})
    found = list(settings(changed))
    assert len(found) > 30
    for setting in found:
        assert f"--{setting.path} {setting.shown}".strip() in text
        assert setting.text.rstrip(".")[1:] in text
        assert setting.type_name in text
    assert not (folder / "runs").exists()


def test_help_is_quick_and_imports_no_jax(tmp_path):
    code = "import sys; from nas.cli.main import main; main([]); main(['run', '-h']);"
    code += "sys.exit('jax' in sys.modules or 'numpy' in sys.modules)"
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=tmp_path)
    assert done.returncode == 0


def test_lists_have_a_tab_off_a_terminal(nas):
    spaces = dict(line.split("\t") for line in nas("spaces").out.splitlines())
    assert spaces.keys() == discover().keys()
    assert "15,625 architectures" in spaces["nasbench201"]
    lines = nas("experiments").out.splitlines()
    assert all(len(line.split("\t")) == 2 for line in lines)
    assert [line for line in lines if line.startswith("digits_cells\t")]


def test_doctor_fails_when_something_is_wrong(nas, monkeypatch):
    rows = [doctor.Row("a", "1"), doctor.Row("b", "2", False, "Mend it.")]
    monkeypatch.setattr(doctor, "examine", lambda: rows)
    ended = nas("doctor")
    assert ended.out == "a\t1\nb\tPROBLEM: 2. Mend it.\n"
    assert ended.status == 1
    monkeypatch.setattr(doctor, "examine", lambda: rows[:1])
    assert nas("doctor").status == 0


def test_packages_of_others_are_refused(refused, monkeypatch):
    rows = doctor.packages(lambda name: Path("/elsewhere") / name)
    monkeypatch.setattr(doctor, "packages", lambda: rows)
    assert "/elsewhere/nas" in refused("spaces")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (SpaceError("no such option"), 2, "nas: no such option\n"),
        (CheckpointError("disk full"), 1, "nas: disk full\n"),
        (ExportError("not equal"), 1, "nas: not equal\n"),
        (Interrupted("SIGTERM", 3), 75, "Run the same command again"),
        (KeyboardInterrupt(), 75, "Run the same command again"),
        (ZeroDivisionError("oh"), 1, "Traceback"),
        (ValueError("internal"), 1, "Traceback"),
        (OSError(errno.EIO, "oh"), 1, "Traceback"),
    ],
)
def test_exit_status_says_whose_turn_it_is(nas, monkeypatch, error, status, text):
    def fail(tokens):
        raise error

    monkeypatch.setattr(command, "_dispatch", fail)
    ended = nas("run")
    assert ended.status == status
    assert text in ended.err
    assert ("Traceback" in ended.err) == (text == "Traceback")


BAD = [
    (("trian",), "There is no stage 'trian'. Did you mean train"),
    (("run",), "Which experiment?"),
    (("run", "a", "b"), "Cannot make sense of 'b'"),
    (("spaces", "x"), "Cannot make sense of 'x'"),
    (("spaces", "--x", "1"), "--x: there is no such option"),
    (("run", "tiny.py", "--wrkdir", "x"), "Did you mean --workdir?"),
    (("run", "tiny.py", "--onnx"), "--onnx: there is no such option"),
    (("run", "tiny.py", "--training.step", "1"), "Did you mean --training.steps"),
    (("run", "tiny.py", "--training", "1"), "is a group of settings"),
    (("run", "tiny.py", "--training.steps", "many"), "'many' is no whole number"),
    (("run", "tiny.py", "--training.steps"), "needs a value"),
    (("run", "tiny.py", "--training.steps", "0"), "steps is 0, it must be at least 1"),
    (("run", "tiny.py", "--precision", "half"), "allowed: float32, bfloat16"),
    (("run", "tiny.py", "--seed", "-1"), "it must be from 0 to"),
    (("run", "tiny.py", "--supernet.head_size", "0"), "at least 1 is needed"),
    (("run", "tiny.py", "--supernet.patch_size", "3"), "patch sizes that do: 1, 2, 4"),
    (("run", "tiny.py", "--supernet.num_classes", "3"), "follows from the data"),
    (("run", "tiny.py", "--supernet.space", "vit_tin"), "Did you mean vit_tiny"),
    (("run", "tiny.py", "--supernet.space", "nasbench201"), "nasbench201"),
    (("run", "tiny.py", "--controller", "nsga"), "Did you mean nsga2"),
    (("run", "tiny.py", "--where", "macs=3"), "is no constraint"),
    (("run", "tiny.py", "--where", "mac<=3"), "Did you mean macs?"),
    (("run", "tiny.py", "--where", "macs<=1"), "cannot be met"),
    (("run", "tiny.py", "--search.objectives", "nll,mac"), "Did you mean macs?"),
    (("run", "tiny.py", "--optimizer.warmup_steps", "99"), "warm up for fewer"),
    (("run", "tiny.py", "--data", "nothing"), "neither a data set of this name"),
    (("run", "tiny.py", "--data", "cifar10"), "--data.root DIR"),
    (("run", "tiny.py", "--data", "cut.npz"), "cut.npz"),
    (("run", "tiny.py", "--data", "shapes.npz"), "shapes.npz"),
    (("run", "tiny.py", "--data", "labels.npz"), "out of range"),
    (("run", "tiny.py", "--data", "book.txt"), "takes images"),
    (("run", "tiny.py", "--data", "latin.txt"), "is not UTF-8"),
    (("run", "text_gpt", "--data", "digits"), "takes tokens of a text"),
    (("run", "text_gpt", "--data.path", "absent.txt"), "there is no such file"),
    (("run", "text_gpt", "--data.length", "0"), "length is 0"),
    (("run", "text_gpt", "--training.augment.flip", "true"), "are for images"),
    (("run", "tiny.py", "--init", "w.safetensors"), "there is no file"),
    (("run", "tiny.py", "--num-processes", "2"), "missing: NAS_COORDINATOR"),
    (("run", "tiny.py", "--mesh.data", "99"), "do not fit"),
    (("run", "tiny.py", "--workdir", "tiny.py"), "cannot be a folder"),
    (("search", "tiny.py"), "Train first: nas train"),
    (("export", "tiny.py"), "Train first: nas train"),
    (("finetune", "tiny.py"), "Give --subnet ID"),
    (("search", "--workdir", "empty"), "Which experiment?"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=lambda v: " ".join(v)[:60])
def test_bad_input_gets_one_message(refused, folder, argv, message):
    images = np.zeros((40, 8, 8), np.uint8)
    labels = np.arange(40) % 4
    np.savez("good.npz", images=images, labels=labels)
    Path("cut.npz").write_bytes(Path("good.npz").read_bytes()[:200])
    np.savez("shapes.npz", images=images, labels=labels[:-1])
    np.savez("labels.npz", images=images, labels=np.where(labels == 3, 200, labels))
    Path("book.txt").write_text("What is written. " * 100, encoding="utf-8")
    Path("latin.txt").write_text("déjà vu. " * 100, encoding="latin-1")
    assert message in refused(*argv)


def test_sigterm_outside_of_a_loop_ends_with_75(folder):
    (folder / "slow.py").write_text(
        "import time\nprint('in', flush=True)\ntime.sleep(60)\n"
    )
    process = start("run", "slow.py", folder=folder)
    assert process.stdout is not None and process.stdout.readline() == "in\n"
    time.sleep(0.1)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert err.endswith("Run the same command again to go on.\n")


def test_help_mentions_no_stage_that_is_missing():
    for stage in STAGES:
        assert "{" not in stage_help(stage)

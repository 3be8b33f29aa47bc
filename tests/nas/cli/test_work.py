import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from nas.cli.arguments import parse
from nas.cli.main import main
from nas.cli.session import load_session
from nas.cli.stages import stage_by_name
from nas.runtime.workdir import Workdir
from tests.nas.cli.conftest import TINY
from tests.nas.cli.test_main import start


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The workdir of a whole run, and its experiment's file; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.py").write_text(TINY, encoding="utf-8")
    workdir = folder / "work"
    command = ["run", str(folder / "tiny.py"), "--workdir", str(workdir)]
    assert main([*command, "--training.steps", "8"]) == 0
    return workdir


@pytest.fixture
def workdir(finished, folder):
    """A copy of it in the current folder."""
    return Path(shutil.copytree(finished, folder / "work"))


def contents(workdir: Path) -> dict[str, bytes]:
    files = (path for path in workdir.rglob("*") if path.is_file())
    return {str(p.relative_to(workdir)): p.read_bytes() for p in files}


def archive(workdir: Path) -> list[dict[str, str]]:
    with open(workdir / "archive.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("│")]


def test_run_leaves_every_file_and_the_command(finished):
    front = json.loads((finished / "front.json").read_text())
    assert len(front) == 3 and all(member["remeasured"] for member in front)
    subnets = {path.name for path in (finished / "subnets").iterdir()}
    assert subnets == {member["id"] for member in front}
    for name in ("metrics.jsonl", "archive.csv", "report.html", "checkpoints"):
        assert (finished / name).exists()
    assert list(finished.glob("events.out.tfevents.*"))
    command = json.loads((finished / "config.json").read_text())["command"]
    assert command["experiment"] == str(finished.parent / "tiny.py")
    assert command["settings"] == [["training.steps", "8"]]


def test_run_again_says_done_and_changes_nothing(workdir, nas):
    before = contents(workdir)
    ended = nas("run", "tiny.py", "--workdir", "work", "--training.steps", "8")
    assert ended.status == 0
    # The copy was made by another file of the same name; the command says which.
    changed = {n for n, data in contents(workdir).items() if data != before.get(n)}
    assert changed <= {"config.json", ".lock"}
    assert ended.out.startswith("This run is done, nothing is left to do: work")
    front = json.loads((workdir / "front.json").read_text())
    rows = table(ended.out)
    assert len(rows) == len(front)
    for row, member in zip(rows, front, strict=True):
        assert member["id"] in row
        assert f"{member['objectives']['error']:.2%}" in row
        assert f"{member['objectives']['macs']:,}" in row
    assert "report.html" in ended.out and "tensorboard --logdir work" in ended.out


def test_later_stages_need_no_settings_again(workdir, nas):
    lowest = min(int(float(row["macs"])) for row in archive(workdir))
    ended = nas(
        *("search", "tiny.py", "--workdir", "work", "--controller", "evolution"),
        *("--search.controller.population", "2"),
        *("--search.controller.sample_size", "1", "--search.controller.batch", "1"),
        *("--where", f"macs<={lowest}", "--search.evaluations", "1"),
    )
    assert ended.status == 0, ended.err
    assert "Settings of work: --training.steps 8" in ended.out
    front = json.loads((workdir / "front.json").read_text())
    assert all(member["objectives"]["macs"] <= lowest for member in front)
    left = {path.name for path in (workdir / "subnets").iterdir()}
    assert left <= {member["id"] for member in front}
    ended = nas("export", "tiny.py", "--workdir", "work", "--pick", "best")
    assert ended.status == 0, ended.err
    best = min(front, key=lambda member: member["objectives"]["nll"])
    assert (workdir / "subnets" / best["id"] / "predict.py").exists()
    assert len(table(ended.out)) == 1
    settings = json.loads((workdir / "config.json").read_text())["command"]["settings"]
    assert ["training.steps", "8"] in settings
    assert ["where", f"macs<={lowest}"] in settings


def test_outdated_run_is_not_called_done(workdir, nas):
    # As if a kill had come between the report of an old search and a new one.
    (workdir / "report.html").unlink()
    ended = nas("run", "tiny.py", "--workdir", "work", "--training.steps", "8")
    assert ended.status == 0
    assert "This run is done" not in ended.out
    assert "Training is done: 8 steps." in ended.out
    assert "Search 0 is done: 4 evaluations." in ended.out
    assert (workdir / "report.html").exists()


@pytest.mark.parametrize(
    ("argv", "messages"),
    [
        (("run", "tiny.py", "--workdir", "work"), ["training.steps: 8 -> 6"]),
        (
            ("run", "digits_cells", "--workdir", "work"),
            ["holds a run of experiment 'tiny'", "'digits_cells'"],
        ),
        (("search", "work"), ["give it again", "--workdir work"]),
        (("search", "work", "--workdir", "other"), ["Two workdirs were given"]),
        (
            ("train", "tiny.py", "--workdir", "work", "--supernet.space", "vit_tiny"),
            ["space_hash", "Give another --workdir"],
        ),
        (("export", "tiny.py", "--workdir", "work", "--pick", "0"), ["no member '0'"]),
    ],
)
def test_folder_of_something_else_is_refused(workdir, refused, argv, messages):
    before = contents(workdir)
    found = refused(*argv)
    for message in messages:
        assert message in found
    changed = {n for n, data in contents(workdir).items() if data != before.get(n)}
    assert changed <= {".lock", "config.json"}


def test_folder_in_use_is_refused(workdir, refused):
    with Workdir(workdir):
        found = refused("run", "tiny.py", "--workdir", "work", "--training.steps", "8")
    assert "is in use by pid" in found


def test_loss_that_is_not_finite_stops_with_step_and_architecture(refused, folder):
    found = refused(
        *("train", "tiny.py", "--optimizer.learning_rate", "1e30"),
        *("--optimizer.clip_norm", "0"),
    )
    assert re.search(r"not finite at step \d+, training architecture \S+ \(", found)


@pytest.mark.slow
def test_stopped_run_goes_on(folder):
    argv = ("train", "tiny.py", "--training.steps", "1000000")

    def stop() -> tuple[str, str]:
        process = start(*argv, folder=folder)
        assert process.stderr is not None
        for line in process.stderr:
            # The second line of progress: the loop has begun.
            if re.match(r"train: \d+/1000000 steps  ", line):
                break
        process.terminate()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 75, err
        return out, err

    _, err = stop()
    step = int(re.search(r"Stopped by SIGTERM after step (\d+)", err)[1])
    assert step > 0
    out, err = stop()
    assert f"Training goes on from step {step} of 1000000." in out
    assert int(re.search(r"after step (\d+)", err)[1]) > step


def test_profile_counts_the_space(nas, folder):
    from nas.cli.experiments import load_experiment

    supernet = load_experiment("./tiny.py")[0].supernet.with_data((8, 8, 1), 10)
    genotypes = supernet.space.enumerate()
    macs = np.sort(supernet.costs(genotypes)["macs"])
    limit = int(macs[0])
    ended = nas("profile", "tiny.py", "--where", f"macs<={limit}")
    assert ended.status == 0, ended.err
    rows = dict(line.split("\t") for line in ended.out.splitlines())
    assert rows["architectures"] == str(len(genotypes))
    share = (macs <= limit).mean()
    assert rows["architectures that meet them"] == f"{share:.2%} of all"
    ends = rows["macs, smallest / median / largest"]
    assert ends.startswith(f"{macs[0]:,} / ") and ends.endswith(f" / {macs[-1]:,}")
    assert float(rows["one training step"].split()[0]) > 0
    assert not (folder / "runs").exists()


def session(*tokens: str):
    stage = stage_by_name()["run"]
    arguments = parse(tokens, stage.options, most=1)
    return load_session(arguments, stage.options, stage.resumes, lambda _: None)


def test_data_is_remembered_by_its_whole_path(folder):
    (folder / "photos").mkdir()
    found = session("tiny.py", "--data", "photos", "--data.size", "16")
    assert found.given == (("data", str(folder / "photos")), ("data.size", "16"))
    assert found.experiment.data.size == 16
    assert session("tiny.py", "--data", "digits").given == (("data", "digits"),)


def test_controller_keeps_the_budget(folder):
    search = session("tiny.py", "--controller", "nsga2").experiment.search
    assert (search.controller.NAME, search.evaluations) == ("nsga2", 4)
    where = ("--where", "macs<=9", "--where", "params<=8")
    assert session("tiny.py", *where).experiment.search.where == where[1::2]
    assert session("tiny.py", "--where", "none").experiment.search.where == ()


def test_default_workdir_is_named_by_the_experiment(folder):
    assert session("tiny.py").workdir == Path("runs/tiny")
    assert session("tiny.py", "--name", "other").workdir == Path("runs/other")
    assert session("digits_cells").workdir == Path("runs/digits_cells")

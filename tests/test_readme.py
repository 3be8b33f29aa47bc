"""The README's Python runs as it stands, and what it points to exists."""

import re
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
LINKS = re.findall(r"\]\(([^)#]+)\)", TEXT)


def test_first_screen_is_short():
    assert len(BLOCKS[0].strip().splitlines()) <= 18


def test_python_makes_an_experiment():
    found = {}
    exec(compile(BLOCKS[0].partition("run = ")[0], "README.md", "exec"), found)
    assert found["experiment"].name == "mine"


@pytest.mark.slow
def test_python_runs(capsys):
    # As it stands, but for the length of training.
    shorter = BLOCKS[0].replace("Training(steps=300)", "Training(steps=20)")
    assert shorter != BLOCKS[0]
    exec(compile(shorter, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    members = [line for line in lines if "'macs'" in line]
    assert len(members) >= 3
    assert all("'error'" in line for line in members)


def test_the_ways_to_share_weights_go_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(compile(BLOCKS[1], "README.md", "exec"), found)
    run = found["run"]
    shapes = jax.eval_shape(lambda: run.train_step.init(run.allowed))
    assert shapes["params"]["blocks"]["mlp"]["experts"]["up"]["kernel"].shape[:3] == (
        1,
        4,
        2,
    )
    assert run.experiment.partition.at == (1000,)
    run.close()


@pytest.mark.parametrize("link", LINKS)
def test_links_exist(link):
    assert link.startswith("http") or (ROOT / link).exists()

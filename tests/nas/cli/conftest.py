import sys
from typing import NamedTuple

import pytest

from nas.cli.main import main

TINY = '''"""A tiny experiment.

For tests.
"""
from nas import Experiment, Export, Training
from nas.data import Digits
from nas.evaluation import Evaluation
from nas.runtime.mesh import MeshConfig
from nas.search import RandomSearch, Search
from search_spaces.vision_transformer import vision_transformer
from supernets import VisionTransformerSupernet

experiment = Experiment(
    name="tiny",
    supernet=VisionTransformerSupernet(
        space=vision_transformer("two_widths", (4, 8), (1,), (1,), (1.0, 2.0)),
        head_size=4,
    ),
    data=Digits(),
    training=Training(steps=6, batch_size=16, log_every=2, checkpoint_every=2),
    search=Search(RandomSearch(population=2), evaluations=4),
    evaluation=Evaluation(calibration_batches=1),
    export=Export(most=3),
    mesh=MeshConfig(data=1),
)
'''


class Ended(NamedTuple):
    """How a command ended: its exit status, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder with `tiny.py`, the file of an experiment."""
    (tmp_path / "tiny.py").write_text(TINY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_DATA", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.fixture
def nas(capsys):
    """Run a command in this process."""

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        status = main(argv)
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def refused(nas):
    """Run a command that must be refused, and give the one message."""

    def run(*argv: str) -> str:
        ended = nas(*argv)
        assert ended.status == 2, ended
        assert ended.err.count("nas: ") == 1
        assert "Traceback" not in ended.err + ended.out
        return ended.err

    return run

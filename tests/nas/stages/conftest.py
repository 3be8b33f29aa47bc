"""Small searched runs, made once and copied by tests that change them."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from nas import Experiment, Export, Training
from nas.data import Digits
from nas.evaluation import Evaluation
from nas.run import Run
from nas.search import RandomSearch, Search
from nas.settings import Finetune
from tests.nas.stages.parts import load_example


def two_layers() -> Experiment:
    """The example of a user's own space, made small."""
    return dataclasses.replace(
        load_example("space").experiment,
        data=Digits(),
        training=Training(steps=30, log_every=4, checkpoint_every=8),
        search=Search(RandomSearch(population=3), evaluations=6),
        evaluation=Evaluation(calibration_batches=2, calibration_batch_size=32),
        export=Export(most=3),
        finetune=Finetune(steps=20, batch_size=32),
    )


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    return two_layers()


@pytest.fixture(scope="session")
def searched(experiment, tmp_path_factory) -> Path:
    """The folder of a run that was trained, searched, and exported in part."""
    path = tmp_path_factory.mktemp("run") / "two_layers"
    with Run(experiment, path, notify=lambda _: None) as run:
        run.train()
        run.search()
        run.front()
    return path


@pytest.fixture
def workdir(searched, tmp_path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(searched, tmp_path / "run"))

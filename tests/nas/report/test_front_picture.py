import json

import numpy as np
import pytest

from nas.report import front_picture as picture
from nas.runtime.workdir import Workdir

from .conftest import COLUMNS, archive_of_two_searches, entry


@pytest.fixture
def numbers(workdir) -> dict:
    archive = archive_of_two_searches()
    return {
        "schema": picture.SCHEMA,
        "controller": "guess",
        "evaluations": 12,
        "front": [entry([1, 2, 1]), entry([0, 0, 0])],
        "random": [entry([0, 1, 0])],
        "uniform": [entry([1, 2, 2])],
        "evaluated": {name: archive.column(name).tolist() for name in COLUMNS},
        "fingerprint": picture.fingerprint(Workdir(workdir, exclusive=False)),
    }


def test_picture_shows_front_and_baselines(numbers):
    axes = picture.front_picture(numbers).axes[0]
    shown = {c.get_label(): c.lines[0].get_xydata() for c in axes.containers}
    front, random, uniform = shown.values()
    np.testing.assert_allclose(front, [[1000, 0.5], [125000, 0.1]])
    np.testing.assert_allclose(random, [[8000, 0.25]])
    np.testing.assert_allclose(uniform, [[216000, 0.5 / 6]])
    assert any("guess" in label and "12" in label for label in shown)
    assert picture.front_picture(numbers, "nll").axes[0].get_ylabel().endswith("(nats)")


def test_same_front_is_drawn_again_from_its_numbers(numbers, workdir, tmp_path):
    out = tmp_path / "front.svg"
    out.with_suffix(".numbers.json").write_text(json.dumps(numbers))
    # The experiment does not exist, so that measuring would fail.
    assert picture.main([str(workdir), str(out)]) == 0
    first = out.read_bytes()
    assert picture.main([str(workdir), str(out)]) == 0
    assert out.read_bytes() == first and b"<svg" in first


def test_another_front_is_measured_anew(numbers, workdir, tmp_path, capsys):
    out = tmp_path / "front.svg"
    out.with_suffix(".numbers.json").write_text(json.dumps(numbers))
    (workdir / "front.json").write_text("[]")
    assert picture.main([str(workdir), str(out)]) == 2
    assert str(workdir) in capsys.readouterr().err
    assert not out.exists()


def test_other_kinds_of_files_are_refused(workdir, capsys):
    assert picture.main([str(workdir), "front.jpeg"]) == 2
    assert ".svg or .png" in capsys.readouterr().err

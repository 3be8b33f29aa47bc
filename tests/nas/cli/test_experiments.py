import sys

import pytest

from nas.cli.experiments import is_path, known_experiments, load_experiment
from nas.cli.overrides import settings
from nas.errors import UserError
from nas.experiment import to_json


@pytest.mark.parametrize("name", sorted(known_experiments()))
def test_every_experiment_loads_and_explains_itself(name):
    experiment, note = load_experiment(name)
    assert experiment.name == name
    assert f"nas run {name}" in note and "Question:" in note and "Source:" in note
    assert to_json(experiment)["name"] == name
    unexplained = [s.path for s in settings(experiment) if not s.text]
    assert unexplained == []


def test_demo_is_among_the_experiments():
    assert "digits_cells" in known_experiments()


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (None, ["There is no file", "Did you mean tiny.py or beside.py?"]),
        ("x = 1\n1 / 0\n", ["mine.py, line 2: ZeroDivisionError", "(1 / 0)"]),
        ("\n\nexperiment = = 1\n", ["mine.py, line 3", "invalid syntax"]),
        ("import not_there\n", ["mine.py, line 1: ModuleNotFoundError: No module"]),
        ("raise SystemExit(0)\n", ["mine.py, line 1: SystemExit"]),
        (
            "from nas import Training\nt = Training(\n    steps=-1)\n",
            ["mine.py, line 2: training: steps is -1, it must be at least 1"],
        ),
        (
            "from search_spaces import Decision\nDecision('', ())\n",
            ["mine.py, line 2: SpaceError"],
        ),
        ("y = 2\n", ["mine.py defines no `experiment`", "experiment = Experiment("]),
        ("experiment = {'a': 1}\n", ["`experiment` is a dict, not an Experiment"]),
        ("from beside import x\nx()\n", ["beside.py, line 3: KeyError: 'gone'"]),
    ],
)
def test_bad_file_is_refused_with_its_line(
    refused, folder, monkeypatch, text, messages
):
    (folder / "beside.py").write_text("def x():\n    d = {}\n    d['gone']\n")
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    if text is not None:
        (folder / "mine.py").write_text(text)
    found = refused("run", "./mine.py")
    for message in messages:
        assert message in found
    assert not (folder / "runs").exists()


def test_experiment_of_another_name_is_pointed_out(folder, refused):
    (folder / "mine.py").write_text((folder / "tiny.py").read_text() + "\nmy = 1\n")
    text = (folder / "mine.py").read_text().replace("\nexperiment =", "\nfirst =")
    (folder / "mine.py").write_text(text)
    assert "Rename first to experiment." in refused("run", "mine.py")


def test_name_gets_nearest_names(refused, folder):
    assert "Did you mean digits_cells" in refused("run", "digit_cells")
    assert "Did you mean the file ./tiny.py?" in refused("run", "tiny")
    (folder / "photos").mkdir()
    assert "holds no config.json" in refused("run", "photos")
    assert "is a folder without a config.json" in refused("run", "./photos")
    (folder / "a.txt").write_text("")
    assert "is no Python file" in refused("run", "./a.txt")


def test_own_classes_need_no_registration(folder):
    text = (folder / "tiny.py").read_text()
    text = text.replace("experiment = ", CLASS + "experiment = ").replace(
        "data=Digits()", "data=Mine()"
    )
    (folder / "tiny.py").write_text(text)
    experiment, note = load_experiment("./tiny.py")
    assert type(experiment.data).__name__ == "Mine"
    assert note.startswith("A tiny experiment.")
    mine = [s for s in settings(experiment) if s.path == "data.brightness"]
    assert mine[0].text == "How bright."


CLASS = '''
import dataclasses
from nas.data import DataSource


@dataclasses.dataclass(frozen=True)
class Mine(DataSource):
    """Data of my own."""

    brightness: int = 3
    """How bright."""

    def load(self):
        """Load."""
        return Digits().load()


'''


def test_paths_are_told_from_names():
    assert is_path("a/b") and is_path("a.py") and not is_path("digits_cells")


def test_unknown_name_is_a_user_error():
    with pytest.raises(UserError):
        load_experiment("nothing_like_it")

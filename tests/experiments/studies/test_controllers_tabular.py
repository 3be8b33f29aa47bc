"""The study of controllers on a table, at the size of a test."""

import argparse

import numpy as np
import pytest
from scipy import stats

from experiments.studies import controllers_tabular as study
from experiments.studies.controllers_figure import draw
from experiments.studies.controllers_summary import difference, rows, summary
from experiments.studies.controllers_tabular import PYMOO, make_tasks, ours, theirs
from nas.errors import UserError
from nas.search import NSGA2

# Shares deviate by 0.05 from seed to seed, so that the interval reaches 0.01 each way.
SEEDS = 200


def arguments(folder, **changes):
    given = {
        "table": "digits_625",
        "root": "",
        "seeds": 2,
        "evaluations": 20,
        "controllers": "random,nsga2",
        "pymoo": True,
        "workdir": folder,
    }
    return argparse.Namespace(**(given | changes))


@pytest.mark.slow
def test_it_goes_on_with_what_is_left(tmp_path, monkeypatch, capsys):
    whole = study.study(arguments(tmp_path / "a"))
    part = study.study(arguments(tmp_path / "b", seeds=1))
    assert part["seeds"] == 1
    # A line cut short by a kill is done again, whole ones are not.
    (broken,) = (tmp_path / "b").rglob("error.random.jsonl")
    broken.write_text(broken.read_text()[:-30])
    asked = []
    monkeypatch.setattr(study, "ours", lambda task, made: counted(task, made, asked))
    again = study.study(arguments(tmp_path / "b"))
    assert sorted(asked) == [0, 1, 1, 1, 1]
    for task, quantities in whole["quantities"].items():
        for name, each in quantities.items():
            for controller, value in each.items():
                found = again["quantities"][task][name][controller]
                assert found["median"] == value["median"], (task, name, controller)
    assert set(whole["quantities"]["error+macs"]["hypervolume"]) == {
        "random", "nsga2", PYMOO
    }  # fmt: skip
    assert whole["tasks"]["error"]["architectures"] == 625
    assert len(draw(whole).axes) == 3


def counted(task, controller, asked):
    search = ours(task, controller)

    def counting(seed):
        asked.append(seed)
        return search(seed)

    return counting


@pytest.mark.slow
@pytest.mark.parametrize("table", ["digits_625", "mnist_625"])
def test_nsga2_is_not_inferior_to_that_of_pymoo_on_tables(table):
    """By a margin of 2 % of the true front's hypervolume, at 95 % confidence."""
    task = list(make_tasks(table, "", 300))[1]
    found, reference = (
        [search(seed)["hypervolume"][-1] for seed in range(SEEDS)]
        for search in (ours(task, NSGA2()), theirs(task))
    )
    test = stats.ttest_ind(found, reference, equal_var=False)
    interval = test.confidence_interval(0.95)
    assert interval.low > -0.02, (interval, np.mean(found), np.mean(reference))


def test_differences_are_paired_and_know_which_way_is_up():
    rng = np.random.default_rng(0)
    chance = rng.normal(size=(40, 4))
    found = summary(chance - 0.5, chance, "regret")["minus_random"]["end"]
    assert found["mean"] == pytest.approx(-0.5) and found["better"] == 1
    assert found["low"] == pytest.approx(-0.5) == pytest.approx(found["high"])
    assert difference(np.array([1.0, -2.0, -3.0]), True)["better"] == 1 / 3
    table = rows({"random": summary(chance, None, "regret") | {"ms_per_evaluation": 1}})
    assert table[1][0] == "random" and table[1][4] == ""


def test_unknown_controllers_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"'nsga3' is none.*random"):
        study.study(arguments(tmp_path, controllers="random,nsga3"))

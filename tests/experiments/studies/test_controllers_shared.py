"""The study's numbers: scale-free volumes, curves, differences paired by seed."""

import argparse
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.studies.controllers_shared import chosen, controllers_of
from experiments.studies.shared_figure import draw
from experiments.studies.shared_summary import (
    box_of,
    growth,
    on_grid,
    rows,
    share,
    summarise,
    volumes,
)
from nas.errors import UserError
from nas.search import front_indices

FRONT = np.array([[0.1, 9e6], [0.4, 2e6], [2.3, 1e6]])
CORNERS = [[0, 1], [1, 0]]


def searched(points, charged=0.0, feasible=None):
    """A search whose report split shows the same as the search split."""
    points = np.asarray(points, float)
    keep = np.ones(len(points), bool) if feasible is None else np.array(feasible)
    rows_kept = np.flatnonzero(keep)
    front = rows_kept[front_indices(points[rows_kept])]
    return {
        "evaluations": len(points),
        "charged": charged,
        "seconds": 1.0,
        "at": (charged + 1 + np.arange(len(points))).tolist(),
        "points": points.tolist(),
        "feasible": keep.tolist(),
        "front": front.tolist(),
        "report": points[front].tolist(),
    }


def command(**changes):
    own = {"experiment": "digits_cells", "steps": None, "evaluations": None}
    return argparse.Namespace(**(own | changes))


def test_volume_is_the_known_area():
    # The common front spans a unit square, and the box a tenth more.
    found = volumes({"corners": CORNERS, "one": [[0, 1]], "none": []})
    assert found["corners"] == pytest.approx((1.1 * 0.1 * 2 - 0.1**2) / 1.1**2)
    assert found["one"] == pytest.approx(1.1 * 0.1 / 1.1**2)
    assert found["none"] == 0
    # One point that is best in all has no range: that of all fronts takes its place.
    found = volumes({"corners": np.array(CORNERS) * 7.0, "ideal": [[0, 0]]})
    assert found["ideal"] == pytest.approx(1)
    assert found["corners"] == pytest.approx((1.1 * 0.1 * 2 - 0.1**2) / 1.1**2)
    assert volumes({"a": [], "b": []}) == {"a": 0, "b": 0}


def test_volume_of_one_objective_is_how_near_the_best_one_is():
    found = volumes({"best": [[3.0]], "half": [[4.0]], "worst": [[5.0]]})
    expected = {"best": 1, "half": 0.6 / 1.1, "worst": 0.1 / 1.1}
    assert found == pytest.approx(expected)


@given(st.floats(1e-3, 1e9), st.floats(-5, 5))
def test_volume_has_no_unit(factor, offset):
    moved = FRONT * np.array([1, factor]) + np.array([offset, 0])
    before = volumes({"a": FRONT, "b": FRONT[:2]})
    after = volumes({"a": moved, "b": moved[:2]})
    assert after == pytest.approx(before)


def test_a_larger_front_has_a_larger_volume():
    found = volumes({"all": FRONT, "some": FRONT[1:]})
    assert found["all"] > found["some"]


def test_growth_ends_at_the_volume_of_the_front_and_skips_what_is_forbidden():
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(40, 2))
    feasible = rng.uniform(size=40) < 0.7
    kept = points[feasible]
    front = kept[front_indices(kept)]
    box = box_of([front])
    found = growth(points, feasible, box)
    assert (np.diff(found) >= 0).all()
    assert found[-1] == pytest.approx(share(front, box))
    assert found[0] == (share(points[:1], box) if feasible[0] else 0)


def test_what_is_charged_moves_a_curve_along_the_budget():
    values = np.array([0.2, 0.5, 0.9])
    grid = np.arange(1, 7)
    plain = on_grid(np.array([1.0, 2.0, 3.0]), values, grid)
    assert plain.tolist() == [0.2, 0.5, 0.9, 0.9, 0.9, 0.9]
    late = on_grid(np.array([2.5, 3.5, 4.5]), values, grid)
    assert late.tolist() == [0, 0, 0.2, 0.5, 0.9, 0.9]


def made_up(num_seeds=5):
    """Seeds that differ much; `better` is ahead of random by the same in each."""
    seeds = []
    for seed in range(num_seeds):
        points = np.array([[0.2, 0.8], [0.8, 0.2], [0.6, 0.6], [0.45, 0.45]])
        worse = points + np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.05, 0.05]])
        scale = 10.0**seed
        seeds.append(
            {
                "random": searched(scale * worse),
                "better": searched(scale * points[::-1], charged=2.5),
            }
        )
    return seeds


def test_summary_pairs_seeds_and_orders_controllers():
    found = summarise(made_up(), budget=8)
    json.dumps(found, allow_nan=False)
    assert list(found["controllers"]) == ["better", "random"]
    assert found["grid"] == list(range(1, 9))
    better = found["controllers"]["better"]
    gained = better["search"]["minus_random"]
    # Scales differ by powers of ten, and yet the interval is tight.
    assert gained["mean"] > 0 and gained["high"] - gained["low"] < 1e-9
    assert gained["wins"] == 5 == gained["n"]
    assert better["report"] == better["search"]
    assert (better["evaluations"], better["charged"]) == (4, 2.5)
    assert better["curve"]["median"][:3] == [0, 0, 0] != better["curve"]["median"][3]
    for name, each in found["controllers"].items():
        assert each["curve"]["median"][-1] == pytest.approx(each["search"]["median"])
        assert len(found["fronts"][0][name][0]) == 4
    assert "minus_random" not in found["controllers"]["random"]["search"]
    table = rows(found["controllers"])
    assert table[1][0] == "better" and table[1][-1] == "5 of 5"
    assert len({len(row) for row in table}) == 1


def test_summary_bears_one_seed_one_left_out_and_one_that_found_nothing():
    first, second = made_up(2)
    first["nothing"] = searched([[0.1, 0.1]], feasible=[False])
    del second["better"]
    found = summarise([first, second], budget=200)["controllers"]
    assert found["better"]["search"]["minus_random"]["n"] == 1
    assert found["better"]["search"]["minus_random"]["low"] is None
    assert found["nothing"]["search"]["each"] == [0]
    assert rows(found)


def test_the_picture_has_a_line_and_two_marks_for_each_controller():
    result = summarise(made_up(), budget=8) | {"experiment": "made_up", "seeds": [0, 1]}
    curves, differences = draw(result).axes
    assert {line.get_label() for line in curves.get_lines()} == {"better", "random"}
    labels = [text.get_text() for text in differences.get_yticklabels()]
    assert labels == ["better"]


def test_settings_are_those_of_the_command_line():
    rest = ["--training.batch_size", "8", "--where", "macs<=2e5"]
    experiment = chosen(command(steps=20, evaluations=40), rest)
    training, search = experiment.training, experiment.search
    assert (training.steps, training.batch_size) == (20, 8)
    assert (search.evaluations, search.where) == (40, ("macs<=2e5",))
    with pytest.raises(UserError, match="no such setting"):
        chosen(command(), ["--training.stepz", "8"])
    with pytest.raises(UserError, match="controllers_tabular"):
        chosen(command(experiment="digits_625_tabular"), [])


def test_every_controller_takes_part_and_the_experiments_own_keeps_its_settings():
    experiment = chosen(command(), [])
    found = controllers_of(experiment, None)
    assert next(iter(found)) == "random"
    assert {"nsga2", "darts", "guided"} < set(found)
    assert found["nsga2"] is experiment.search.controller
    assert list(controllers_of(experiment, "ppo,random")) == ["random", "ppo"]
    with pytest.raises(UserError, match=r"'nsga3' is none.*random"):
        controllers_of(experiment, "nsga3")

import json

import pytest

from nas.comparison.made import how_made
from nas.comparison.outcomes import check_comparable, final_values, find_outcomes
from nas.errors import UserError
from tests.nas.comparison.parts import noisy, rank_json, write_run, write_sweep


def test_values_are_found_where_stages_leave_them():
    rank = rank_json(0.7)
    curves = {"train/loss": ([1, 2], [3.0, 2.5])}
    front = [{"objectives": {"error": e, "macs": 1}} for e in (0.3, 0.2)]
    found = final_values(rank, curves, front)
    assert found["tau"] == 0.7 and found["tau_error"] == pytest.approx(0.65)
    assert found["partial_tau"] == pytest.approx(0.3)
    assert found["beyond_copy"] == pytest.approx(0.2)
    assert found["best_k_median_rank"] == pytest.approx(6.0)
    assert (found["loss"], found["front_error"]) == (2.5, 0.2)


def test_numbers_that_do_not_exist_are_left_out():
    rank = rank_json(0.7)
    rank["by"]["nll"]["partial_tau"] = {"tau": None, "beyond_copy": None}
    rank["by"]["nll"]["spearman"] = None
    found = final_values(rank, {"train/loss": ([1], [float("nan")])}, [])
    assert found.keys() == {
        *("tau", "tau_error", "tau_better_half", "best_k_median_rank", "regret_at_k")
    }
    assert final_values(None, {}, []) == {}


def test_sweep_is_read_in_the_order_of_its_plan(tmp_path):
    folder = write_sweep(
        tmp_path / "sweep", {"z": [0.5, 0.6], "a": [0.7, None]}, planned=["later"]
    )
    outcomes, notes = find_outcomes([folder])
    assert [(o.variant, o.seed) for o in outcomes] == [("z", 0), ("z", 1), ("a", 0)]
    assert len(notes) == 3 and all("not run yet" in note for note in notes)
    assert list(outcomes[0].references) == [
        *("live_parameters", "macs", "another seed of the truth")
    ]


def test_unfinished_run_is_left_out_unless_it_is_marked_done(tmp_path):
    folder = write_run(tmp_path / "seed_0", steps=200)
    outcomes, notes = find_outcomes([folder])
    assert not outcomes and "at step 200 of 400" in notes[0]
    (folder / "done.json").write_text(json.dumps({"stages": ["train"]}))
    assert len(find_outcomes([folder])[0]) == 1


def test_folder_of_a_run_names_the_method(tmp_path):
    plain = write_run(tmp_path / "plain")
    seeded = write_run(tmp_path / "other" / "seed_3", seed=3)
    outcomes, _ = find_outcomes([plain, seeded])
    assert [(o.variant, o.seed) for o in outcomes] == [("plain", 0), ("other", 3)]


def test_sweeps_with_the_same_methods_are_told_apart(tmp_path):
    short = write_sweep(tmp_path / "short", {"uniform": [0.5]})
    long = write_sweep(tmp_path / "long", {"uniform": [0.6]})
    outcomes, _ = find_outcomes([short, long])
    assert [o.variant for o in outcomes] == ["short/uniform", "long/uniform"]
    with pytest.raises(UserError, match="Give one of them"):
        find_outcomes([short, short])


@pytest.mark.parametrize("made", [False, True])
def test_folder_of_nothing_is_refused_by_name(tmp_path, made):
    folder = tmp_path / "nothing"
    if made:
        folder.mkdir()
    with pytest.raises(UserError, match="nothing") as caught:
        find_outcomes([write_run(tmp_path / "run"), folder])
    assert "neither config.json nor sweep.json" in str(caught.value)


@pytest.mark.parametrize("text", ["{}", "[", '{"variants": ["a"], "seeds": ["x"]}'])
def test_damaged_plan_is_refused(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(UserError, match=r"sweep\.json"):
        find_outcomes([tmp_path])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truth": "other"}, "other samples of architectures"),
        ({"n": 63}, "other samples of architectures"),
        ({"space": "other"}, "different search spaces"),
    ],
)
def test_taus_over_other_samples_are_refused(tmp_path, change, message):
    a = write_run(tmp_path / "a")
    b = write_run(tmp_path / "b", **change)
    with pytest.raises(UserError, match=message):
        check_comparable(find_outcomes([a, b])[0])


def test_other_spaces_may_be_compared_without_rankings(tmp_path):
    a = write_run(tmp_path / "a", tau=None)
    b = write_run(tmp_path / "b", tau=None, space="other")
    check_comparable(find_outcomes([a, b])[0])
    check_comparable(find_outcomes([write_sweep(tmp_path / "c", {"x": noisy(0.5)})])[0])


def test_a_comparison_says_by_which_commands_its_runs_were_made(tmp_path):
    sweep, run = tmp_path / "sweep", tmp_path / "run"
    one = {"command": "nas sweep study.py", "date": "2026-01-31", "machine": "2 cores"}
    for folder, name, content in (
        (sweep, "sweep.json", {"commands": [one, one]}),
        (run, "config.json", {"command": "nas run x", "backend": "cpu", "seed": 3}),
    ):
        folder.mkdir()
        (folder / name).write_text(json.dumps(content))
    (tmp_path / "bare").mkdir()
    found = how_made([sweep, run, tmp_path / "bare"])
    assert found == [one, {"command": "nas run x", "backend": "cpu"}]

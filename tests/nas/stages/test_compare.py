import json

import numpy as np
import pytest

from nas.comparison.result import bands_of, drawn_curve, growths_of
from nas.errors import UserError
from nas.stages.compare import compare, write_comparison
from tests.nas.comparison.parts import noisy, write_run, write_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    taus = {"fair": noisy(0.55, seed=1), "uniform": noisy(0.5), "<b>": noisy(0.52)}
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "study", taus)


def test_comparison_writes_every_seed_and_its_pairs(folder, tmp_path):
    found = compare([folder], quantities=["tau", "loss"])
    assert found.baseline == "uniform" and not found.notes
    files = write_comparison(found, tmp_path / "out")
    assert [path.name for path in files] == [
        *("compare.json", "compare.html", "compare_curves.png", "compare_paired.png")
    ]
    record = json.loads(files[0].read_text())
    fair = record["quantities"]["tau"]["variants"]["fair"]
    gained = np.array(noisy(0.55, seed=1)) - noisy(0.5)
    assert list(fair["by_seed"]) == list("01234")
    assert fair["minus_baseline"]["mean"] == pytest.approx(gained.mean())
    assert fair["minus_baseline"]["wins"] == (gained > 0).sum()
    loss = record["quantities"]["loss"]["variants"]["fair"]
    assert loss["minus_baseline"]["wins"] == (gained > 0).sum()
    assert record["budgets"]["fair"]["examples"]["mean"] == 400 * 16
    assert "Student" in record["intervals"]
    page = files[1].read_text()
    assert "&lt;b&gt;" in page and "<b>" not in page and "<svg" in page
    again = write_comparison(found, tmp_path / "again")
    assert [p.read_bytes() for p in files] == [p.read_bytes() for p in again]


def test_curves_run_along_what_was_used_up(folder):
    found = compare([folder])
    assert drawn_curve(found) == "rank/tau_nll"
    bands = bands_of(found, "rank/tau_nll", "examples")
    assert list(bands) == ["fair", "uniform", "<b>"]
    np.testing.assert_allclose(bands["fair"].at, np.arange(100, 401, 100) * 16)
    assert not bands_of(found, "rank/tau_nll", "device_seconds")


def test_only_what_was_asked_for_is_compared(folder):
    found = compare([folder], baseline="fair", quantities=["loss"])
    assert list(found.tables) == ["loss"] and found.baseline == "fair"
    for wrong in ({"baseline": "fare"}, {"quantities": ["tua"]}):
        with pytest.raises(UserError, match="fair" if "baseline" in wrong else "tau"):
            compare([folder], **wrong)


def test_missing_seeds_and_single_ones_are_told(tmp_path):
    taus = {"uniform": [0.5, 0.6, 0.7], "fair": [0.6, None, 0.7], "one": [0.5]}
    found = compare([write_sweep(tmp_path / "sweep", taus)])
    notes = " ".join(found.notes)
    assert "Kendall's tau-b, by NLL: fair and uniform do not both have seed 1" in notes
    assert "fewer than 2 seeds has no interval" in notes
    rows = {row.variant: row for row in found.tables["tau"]}
    assert rows["fair"].difference.n == 2 and rows["one"].mean.low is None


def test_nothing_finished_is_refused(tmp_path):
    with pytest.raises(UserError, match="at step 100 of 400"):
        compare([write_run(tmp_path / "a", steps=100)])
    with pytest.raises(UserError, match="No finished run has tau"):
        compare([write_run(tmp_path / "b", tau=None)], quantities=["tau"])


def test_fronts_are_measured_in_one_box(tmp_path):
    for name, error in (("a", 0.1), ("b", 0.5)):
        run = write_run(tmp_path / name, tau=None)
        front = [{"id": "x", "objectives": {"error": error, "macs": 5}}]
        (run / "front.json").write_text(json.dumps(front))
    found = compare([tmp_path / "a", tmp_path / "b"])
    a, b = (row.values[0] for row in found.tables["hypervolume"])
    assert a == pytest.approx(1.0) and b == pytest.approx(0.1 / 1.1)
    assert "front_error" in found.tables


def test_searches_are_compared_as_they_grew_at_equal_budgets(tmp_path):
    rows = {
        "a": [(0.5, 5), (0.1, 9), (0.3, 3)],
        "b": [(0.5, 5), (0.1, 3)],
    }
    for name, points in rows.items():
        run = write_run(tmp_path / name, tau=None)
        lines = [f"0,x{i},{i},{e},{m}" for i, (e, m) in enumerate(points)]
        header = "search,id,genotype,error,macs"
        (run / "archive.csv").write_text("\n".join([header, *lines]) + "\n")
    found = compare([tmp_path / "a", tmp_path / "b"])
    growths = growths_of(found)
    assert list(growths) == ["a", "b"]
    assert growths["a"].at.tolist() == [1, 2, 3]
    # The box holds the last fronts: errors 0.1 to 0.3, MACs 3 to 9, and a tenth more.
    first, second, third = growths["a"].mean
    assert first == 0 and second == pytest.approx(1.1 * 0.1 / 1.21)
    assert third == pytest.approx((1.1 * 0.1 + 1.1 * 0.1 - 0.1 * 0.1) / 1.21)
    assert growths["b"].mean.tolist() == pytest.approx([0, 1])
    equal = {row.variant: row.values[0] for row in found.tables["growth"]}
    assert equal == {"a": pytest.approx(second), "b": pytest.approx(1)}
    assert any("2 to 3 evaluations" in note for note in found.notes)
    files = write_comparison(found, tmp_path / "out")
    assert "compare_growths.png" in [path.name for path in files]
    assert "Fronts as they grew" in files[1].read_text()


def test_what_constraints_exclude_does_not_grow_a_front(tmp_path):
    run = write_run(tmp_path / "a", tau=None)
    config = json.loads((run / "config.json").read_text())
    config["search"]["where"] = ["macs<=4"]
    (run / "config.json").write_text(json.dumps(config))
    header = "search,id,genotype,error,macs"
    (run / "archive.csv").write_text(f"{header}\n0,x,0,0.1,5\n0,y,1,0.5,4\n")
    growth = growths_of(compare([run]))["a"].mean
    assert growth[0] == 0 and growth[1] == pytest.approx(1)

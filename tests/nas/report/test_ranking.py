"""Rankings and draws in the report: numbers, sentences and alarms."""

import json

import numpy as np
import pytest

from nas.ranking.ceiling import ceiling
from nas.ranking.rank import rank as compare
from nas.report import ranking_figure as figures
from nas.report import ranking_numbers as numbers
from nas.report.draws_figure import MOST, draws_figure, draws_over_time, health_figure
from nas.report.health import alarms
from nas.report.ranking import sentences
from nas.report.record import read_ranked, read_record
from nas.report.sampling_health import DISTINCT
from nas.report.tensorboard import show_draws, show_ranking
from nas.report.watch_figure import watch_figure
from nas.runtime.workdir import Workdir

RANK = {
    "tau": 0.55,
    "n": 40,
    "low": 0.5,
    "high": 0.6,
    "ceiling": {"seed_to_seed": 0.85, "seed_to_others": 0.9, "spread": 0.01},
    "by": {
        "nll": {"tau": 0.55, "low": 0.5, "high": 0.6},
        "error": {"tau": 0.45, "low": 0.4, "high": 0.5},
    },
    "baselines": {
        "macs": {"tau": 0.4, "low": 0.3, "high": 0.5},
        "formula": {"tau": 0.7, "low": 0.66, "high": 0.74},
        "ridge": {"tau": 0.8, "low": 0.7, "high": 0.9, "sample": 50},
        "synflow": {"tau": None, "low": None, "high": None},
    },
    "partial_tau": {"tau": 0.12, "low": -0.05, "high": 0.2, "given": "formula"},
}


class Board:
    """Keeps what would be shown."""

    def __init__(self):
        self.figures = {}

    def figure(self, name, figure, step):
        self.figures[name] = figure


def ranked(num=40):
    rng = np.random.default_rng(0)
    columns = ("truth_error", "nll", "error", "formula", "macs", "convolutions")
    table = {name: rng.random(num) for name in columns}
    return table | {"convolutions": np.arange(num) % 5.0}


# -------------------------------------------------------------------------- draws
def logged(counts, steps, anew=()):
    """Scalars as training logs them, of draws `[T, O]` in each interval."""
    rows, so_far = [], np.zeros(counts.shape[1])
    for t, row in enumerate(counts):
        so_far = row if t in anew else so_far + row
        rows.append(so_far)
    total = np.array(rows).sum(1)
    curves = {
        f"sampler/edge/op/{k}": (steps, np.array(rows)[:, k] / total)
        for k in range(counts.shape[1])
    }
    return curves | {"train/draws": (steps, total)}


@pytest.mark.parametrize("anew", [(), (3,)])
def test_draws_are_read_back_from_cumulative_shares(anew):
    counts = np.random.default_rng(0).integers(0, 50, (6, 3)).astype(float)
    counts[3] = 1
    steps = np.array([10, 20, 30, 40, 50, 55])
    (draws,) = draws_over_time(logged(counts, steps, anew)).values()
    assert draws.options == ("op/0", "op/1", "op/2")
    np.testing.assert_allclose(draws.counts, counts, atol=1e-9)
    np.testing.assert_array_equal(draws.steps, [0, *steps])
    np.testing.assert_allclose(draws.shares.sum(1), 1)
    np.testing.assert_allclose(draws.late(), counts[-1], atol=1e-9)
    np.testing.assert_allclose(draws.late(0.4), counts[-2:].sum(0), atol=1e-9)


def test_draws_figure_shows_shares_of_each_interval():
    counts = np.array([[1.0, 3], [2, 2], [4, 0]])
    draws = draws_over_time(logged(counts, np.array([4, 8, 12])))
    axes = draws_figure(draws).axes[0]
    first, second, *_ = axes.lines
    np.testing.assert_allclose(first.get_xydata(), [[2, 0.25], [6, 0.5], [10, 1]])
    np.testing.assert_allclose(second.get_ydata(), [0.75, 0.5, 0], atol=1e-12)
    assert axes.get_title("left") == "edge"
    many = {f"edge_{i}": draws["edge"] for i in range(MOST + 5)}
    assert len(draws_figure(many).axes) == MOST


def test_health_figure_shows_what_samplers_log():
    curve = (np.arange(3), np.arange(3.0))
    curves = {DISTINCT: curve, "train/loss": curve, "sampler_health/paths/least": curve}
    titles = [a.get_title("left") for a in health_figure(curves).axes[:2]]
    assert titles == ["data: distinct", "paths: least"]


def test_watch_figure_has_a_panel_of_each_kind():
    curve = (np.arange(3), np.array([0.3, 0.2, 0.1]))
    assert watch_figure({"train/loss": curve}) is None
    names = ("watch/largest_nll", "watch/smallest_nll", "watch/interference_cosine")
    curves = dict.fromkeys(names, curve)
    curves |= {"watch/effect/a": curve, "watch/effect/b": (curve[0], np.zeros(3))}
    panels = watch_figure(curves).axes
    assert [len(axes.get_legend().texts) for axes in panels] == [2, 1, 2]
    assert panels[2].get_yscale() == "linear"  # a zero has no logarithm


# ------------------------------------------------------------------------- alarms
def add_scalars(workdir, curves):
    lines = [
        json.dumps({"step": int(step), "name": name, "value": float(value)})
        for name, (steps, values) in curves.items()
        for step, value in zip(steps, values, strict=True)
    ]
    with (workdir / "metrics.jsonl").open("a") as file:
        file.write("\n".join(lines) + "\n")


def test_health_of_sampling_is_told(workdir):
    steps = np.arange(10, 310, 10)
    counts = np.full((30, 3), 10.0)
    counts[26:] = [58, 1, 1]
    add_scalars(workdir, logged(counts, steps))
    before = alarms(read_record(workdir))
    assert len(before) == 2
    assert "2 options were taken less" in before[1]
    assert "edge = op/1, edge = op/2" in before[1]
    ends = (np.array([100, 300]), np.array([1.0, 0.4]))
    zero = (np.array([100, 300]), np.array([0.5, 0.0]))
    add_scalars(
        workdir,
        {
            DISTINCT: ends,
            "watch/interference_negative": (ends[0], ends[1] + 0.3),
            "watch/effect/width_1": zero,
            "watch/effect/depth": (zero[0], zero[1][::-1]),
        },
    )
    found = alarms(read_record(workdir))[2:]
    assert len(found) == 3
    assert "saw 40 % of the images" in found[0]
    assert "1 decisions changed nothing" in found[1] and "(width_1)" in found[1]
    assert "70 % of the pairs" in found[2]


@pytest.mark.parametrize(
    "late", [np.array([10.0, 10, 10]), np.array([2.0, 0, 0])], ids=["even", "few"]
)
def test_even_draws_and_few_draws_are_no_alarm(workdir, late):
    counts = np.concatenate([np.full((26, 3), 10.0), np.tile(late, (4, 1))])
    add_scalars(workdir, logged(counts, np.arange(10, 310, 10)))
    assert len(alarms(read_record(workdir))) == 1


# ------------------------------------------------------------------------ figures
def test_scatter_shows_truth_estimate_and_formula():
    table = ranked()
    supernet, formula, bar = figures.scatter_figure(RANK, table).axes
    for axes, name in ((supernet, "nll"), (formula, "formula")):
        points = np.asarray(axes.collections[0].get_offsets())
        wanted = np.stack([table["truth_error"], table[name]], axis=1)
        np.testing.assert_allclose(
            points[np.argsort(points[:, 0])], wanted[np.argsort(wanted[:, 0])]
        )
    assert supernet.get_title("left").endswith("0.55")
    assert formula.get_title("left").endswith("0.70")
    assert bar.get_ylabel() == "convolutions"
    assert [t.get_text() for t in bar.get_yticklabels()] == list("01234")


def test_points_are_coloured_by_macs_where_there_are_no_convolutions():
    table = {n: v for n, v in ranked().items() if n not in ("convolutions", "formula")}
    panel, bar = figures.scatter_figure({}, table).axes
    assert bar.get_ylabel() == "MACs"
    colours = panel.collections[0].get_array()
    np.testing.assert_allclose(np.sort(colours), np.sort(table["macs"]))
    assert figures.scatter_figure(RANK, {}) is None


def test_without_a_formula_the_best_free_baseline_stands_beside():
    rank = {"baselines": {"ridge": {"tau": 0.9, "sample": 50}, "macs": {"tau": 0.3}}}
    table = ranked() | {"ridge": np.zeros(40)}
    del table["formula"]
    assert numbers.reference_of(rank) == ("macs", numbers.Tau(0.3))
    _, beside, _ = figures.scatter_figure(rank, table).axes
    assert (
        beside.get_title("left")
        == "MACs, no training: \N{GREEK SMALL LETTER TAU} = 0.30"
    )


def test_bars_have_intervals_and_the_ceiling_is_a_line():
    axes = figures.baselines_figure(RANK).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    wanted = ["macs", "supernet, by error", "supernet, by NLL", "formula", "ridge"]
    assert names == wanted  # what has no number has no bar
    np.testing.assert_allclose(
        [bar.get_width() for bar in axes.patches], [0.4, 0.45, 0.55, 0.7, 0.8]
    )
    segments = axes.containers[-1].lines[2][0].get_segments()
    np.testing.assert_allclose(segments[0][:, 0], [0.7, 0.9])
    assert any(list(line.get_xdata()) == [0.9, 0.9] for line in axes.lines)
    assert figures.baselines_figure({"baselines": {"macs": 0.5}}) is None


def test_tau_over_steps_stands_beside_the_formula():
    steps = np.arange(3)
    curves = {"rank/tau_nll": (steps, np.array([np.nan, 0.2, 0.5]))}
    lines = figures.tau_figure(curves, RANK).axes[0].lines
    assert [line.get_label() for line in lines] == [
        "by NLL",
        "the formula",
        "the truth's own seeds",
    ]
    assert list(lines[1].get_ydata()) == [0.7, 0.7]
    assert figures.tau_figure({}, RANK) is None


# ---------------------------------------------------------------------- sentences
def test_a_supernet_that_does_not_beat_the_formula_is_told_so():
    tau, formula, partial = sentences(RANK)
    assert "it is 0.55 (95 % interval 0.50 to 0.60), over 40" in tau
    assert "agrees with itself only to 0.90" in tau
    assert "its tau is 0.70. The supernet does not beat the formula" in formula
    assert "0.12 [-0.05, 0.20]" in partial and "no sign that training" in partial


@pytest.mark.parametrize(
    ("tau", "low", "said"),
    [
        (0.70, 0.65, "does not beat"),
        (0.75, 0.72, "intervals of the two overlap"),
        (0.85, 0.80, "ranks better than the formula"),
    ],
)
def test_verdict_follows_the_intervals(tau, low, said):
    changed = RANK | {"tau": tau, "low": low, "high": tau + 0.05}
    assert said in sentences(changed)[1]


def test_what_rank_writes_is_understood():
    rng = np.random.default_rng(0)
    truth = rng.random((60, 3)) * 0.02 + rng.random((60, 1))
    mean = truth.mean(1)
    found = compare(
        truth,
        {"nll": mean + 0.05 * rng.normal(size=60), "error": -mean},
        {"formula": mean + 0.4 * rng.normal(size=60), "macs": -mean},
        resamples=60,
    )
    found = json.loads(json.dumps(found))
    assert numbers.ceiling_of(found) == ceiling(truth).seed_to_others
    name, tau = numbers.reference_of(found)
    assert name == "formula" and tau.tau == found["baselines"]["formula"]["tau"]
    _, formula, partial = sentences(found)
    assert "ranks better than the formula" in formula
    assert "that only repeats the formula" in partial
    assert "training did add something" in partial


# -------------------------------------------------------------------------- files
def write_csv(path, table):
    rows = [",".join(["id", "genotype", *table])]
    for i, values in enumerate(zip(*table.values(), strict=True)):
        rows.append(",".join([f"a{i}", "0-1-2", *map(repr, map(float, values))]))
    path.write_text("\n".join(rows) + "\n")


def test_numeric_columns_of_the_table_are_read(tmp_path):
    table = ranked(5)
    write_csv(tmp_path / "rank.csv", table)
    found = read_ranked(tmp_path / "rank.csv")
    assert list(found) == list(table)
    for name, values in table.items():
        np.testing.assert_array_equal(found[name], values)


def test_damaged_table_is_named(workdir):
    (workdir / "rank.csv").write_text("id,nll\na\n")
    assert any("rank.csv cannot be read" in note for note in read_record(workdir).notes)


def test_board_shows_draws_and_rankings(workdir):
    (workdir / "rank.json").write_text(json.dumps(RANK))
    write_csv(workdir / "rank.csv", ranked())
    curve = (np.array([100, 300]), np.array([0.2, 0.5]))
    add_scalars(workdir, {"rank/tau_nll": curve, DISTINCT: curve})
    board, folder = Board(), Workdir(workdir, exclusive=False)
    show_draws(board, folder, 300)
    show_ranking(board, folder, 300)
    assert list(board.figures) == [
        "sampler/draws",
        "sampler/health",
        "rank/truth_and_estimate",
        "rank/baselines",
        "rank/tau_by_step",
    ]

import dataclasses
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from nas.report.comparison import comparison_figure, measured_runs
from nas.report.curves import hypervolume_figure, training_figure
from nas.report.drawing import architecture_figure, layout_of
from nas.report.front_figure import Points, front_figure, points_of
from nas.report.heat_map import options_figure
from nas.report.style import CYCLE, short, to_inline_svg, to_png, to_svg
from search_spaces import Decision, SearchSpace
from search_spaces.nasbench201 import nasbench201

from .conftest import SPACE, archive_of_two_searches, card

MEMBERS = [
    {"error": 0.3, "nll": 0.9, "macs": 4000.0},
    {"error": 0.4, "nll": 1.1, "macs": 1000.0},
]


def front():
    members = points_of("front", MEMBERS, [(0.2, 0.5), (0.3, 0.6)], ("big", "small"))
    return front_figure(archive_of_two_searches().table(), members)


def test_front_shows_every_number():
    errors, nlls = front().axes
    dots = next(c for c in errors.collections if isinstance(c, PathCollection))
    table = archive_of_two_searches().table()
    np.testing.assert_allclose(
        dots.get_offsets(), np.stack([table["macs"], table["error"]], axis=1)
    )
    line, *_ = errors.containers[0].lines
    np.testing.assert_allclose(line.get_xydata(), [[1000, 0.4], [4000, 0.3]])
    bars = errors.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([b[:, 1] for b in bars], [[0.3, 0.6], [0.2, 0.5]])
    assert [t.get_text() for t in errors.texts[:2]] == ["small", "big"]
    assert not nlls.containers[0].lines[2]  # no interval of the NLL is known
    assert "(%)" in errors.get_ylabel() and "nats" in nlls.get_ylabel()


def test_grey_line_is_the_front_of_what_was_evaluated():
    axes = front().axes[0]
    line = next(item for item in axes.lines if item.get_gid() == "searched-front-error")
    table = archive_of_two_searches().table()
    for macs, error in line.get_xydata():
        better = (table["macs"] <= macs) & (table["error"] < error)
        assert not better.any()


@pytest.mark.parametrize(("most", "scale"), [(9000.0, "linear"), (11000.0, "log")])
def test_costs_beyond_a_decade_are_logarithmic(most, scale):
    points = points_of("x", [{"error": 0.1, "macs": m} for m in (1000.0, most)])
    axes = front_figure(None, points, qualities=("error",)).axes[0]
    assert axes.get_xscale() == scale


def test_a_few_failures_do_not_hide_the_front():
    error = np.array([0.1, 0.11, 0.12] * 10 + [50.0])
    evaluated = {"macs": np.arange(1.0, 32.0), "error": error}
    axes = front_figure(evaluated, None, qualities=("error",)).axes[0]
    assert axes.get_ylim()[1] < 1
    assert [t.get_text() for t in axes.texts] == ["1 evaluated are worse"]


def test_points_without_names_are_counted_where_they_are_out_of_sight():
    error = np.array([0.1, 0.11, 0.12] * 100 + [50.0])
    dots = Points("all", {"macs": np.arange(301.0), "error": error}, fits=False)
    member = points_of("one", [{"macs": 5.0, "error": 0.115}])
    axes = front_figure(None, member, [dots], qualities=("error",)).axes[0]
    assert [t.get_text() for t in axes.texts] == ["101 evaluated are worse"]


def test_hypervolume_overlays_searches():
    curves = {
        "a": (np.arange(3), np.array([0.0, 0.5, 0.7])),
        "b": (np.arange(2), np.array([0.7, 0.8])),
    }
    axes = hypervolume_figure(curves).axes[0]
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == ["a", "b"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.0, 0.5, 0.7])
    assert axes.lines[0].get_color() != axes.lines[2].get_color()


def test_training_shows_the_curves_there_are():
    curves = {
        "train/loss": (np.arange(5), np.arange(5.0)),
        "train/grad_norm": (np.arange(5), np.arange(5.0)),
    }
    (axes,) = training_figure(curves).axes
    assert axes.get_title("left") == "training loss (nats)"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.arange(5.0))


def test_heat_map_names_every_option_and_marks_the_unsampled():
    shares = {"a": {"x": 0.25, "y": 0.75}, "b": {"z": 0.0}}
    axes = options_figure(shares).axes[0]
    texts = {t.get_text(): t.get_fontweight() for t in axes.texts}
    assert texts == {"x  25%": "normal", "y  75%": "normal", "z  0%": "bold"}


def test_layout_follows_names_alone():
    layout = layout_of(
        ("edge_0_1", "edge_1_2", "width_1", "width_2", "head_3", "depth")
    )
    assert layout.edges == {"edge": {(0, 1): "edge_0_1", (1, 2): "edge_1_2"}}
    assert layout.layers == {"width": {1: "width_1", 2: "width_2"}}
    assert layout.plain == ("head_3", "depth")
    # Falling pairs are no edges; stage 2 has two layers.
    layout = layout_of(("k_2_1", "k_2_2", "k_1_1"))
    assert layout.edges == {} and layout.layers == {"k_2": {1: "k_2_1", 2: "k_2_2"}}


def test_cells_are_drawn_as_graphs():
    space = nasbench201()
    genotype = [3, 0, 1, 3, 2, 4]
    figure = architecture_figure(space, np.array(genotype))
    axes = figure.axes[0]
    arrows = {p.get_gid(): p for p in axes.patches if p.get_gid()}
    assert set(arrows) == set(space.names)
    colours = {n: to_hex(p.get_edgecolor()) for n, p in arrows.items()}
    assert colours["edge_0_1"] == colours["edge_0_3"] == CYCLE[2]
    assert len(set(colours.values())) == 5
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == [*space.decisions[0].options[1:], "none"]


def test_layers_are_drawn_as_bars_and_dead_ones_are_not():
    deep = architecture_figure(SPACE, np.array([1, 2, 0])).axes[0]
    assert [(p.get_gid(), p.get_height()) for p in deep.patches] == [
        ("width_1", 24),
        ("width_2", 8),
    ]
    figure = architecture_figure(SPACE, np.array([0, 1, 0]))
    assert [p.get_gid() for p in figure.axes[0].patches] == ["width_1"]
    assert figure.get_suptitle() == "depth 1"


def test_other_spaces_are_written_as_tables():
    space = SearchSpace("s", (Decision("act", ("relu", "gelu")), Decision("k", (3, 5))))
    axes = architecture_figure(space, np.array([1, 0])).axes[0]
    assert [t.get_text() for t in axes.texts] == ["act", "gelu", "k", "3"]


def test_comparison_shows_errors_and_intervals():
    axes = comparison_figure(measured_runs(card("x"))).axes[0]
    assert [p.get_width() for p in axes.patches] == [0.0625, 0.0625]
    segments = axes.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose(segments[0][:, 0], [0.05, 0.08])
    assert measured_runs({"finetune": {"broken": {"nll": 1}}}) == {}
    assert measured_runs({}) == {}


def test_same_figure_same_bytes_and_no_rules_leak():
    before = dict(matplotlib.rcParams)
    assert to_svg(front()) == to_svg(front())
    assert to_png(front()) == to_png(front())
    assert dict(matplotlib.rcParams) == before


def test_inline_svg_has_ids_of_its_own_and_the_colours_of_the_page():
    svg = to_inline_svg(front(), "front", 'a "front"')
    assert svg.startswith('<svg role="img" aria-label="a &quot;front&quot;"')
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert ids and all(i.startswith("front-") for i in ids)
    assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg))
    used = {a or b for a, b in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg)}
    assert used <= set(ids)
    assert "currentColor" in svg and "http" not in svg


def test_points_are_sorted_by_cost_and_keep_what_all_have():
    points = points_of("x", [*MEMBERS, {"macs": 1.0, "error": 0.9}])
    assert points.columns["macs"].tolist() == [1.0, 1000.0, 4000.0]
    assert set(points.columns) == {"error", "macs"}
    assert dataclasses.replace(points, colour="red").colour == "red"


def test_short():
    assert [short(v) for v in (0, 999, 1234, 5_600_000)] == [
        "0",
        "999",
        "1.23k",
        "5.6M",
    ]

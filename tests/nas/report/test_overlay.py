import numpy as np
import pytest

from nas.comparison.bands import band
from nas.comparison.pairing import pair
from nas.report.overlay import TOGETHER, budget_figure, colours, paired_figure


def bands(num):
    at = np.linspace(1, 10, 4)
    made = {f"m{k}": {s: (at, at * (k + 1) + s) for s in range(3)} for k in range(num)}
    return {name: band(curves) for name, curves in made.items()}


def lines(axes, name):
    return [line for line in axes.get_lines() if line.get_gid() == name]


def test_control_is_dashed_and_each_method_has_its_line_and_band():
    figure = budget_figure(bands(3), "m1", ("x", "y"), {"macs": 4.0})
    (axes,) = figure.axes
    for name in ("m0", "m1", "m2"):
        (line,) = lines(axes, name)
        assert line.is_dashed() == (name == "m1")
    assert len(axes.collections) == 3
    np.testing.assert_allclose(lines(axes, "m2")[0].get_ydata(), bands(3)["m2"].mean)


def test_many_methods_get_a_panel_each_beside_the_control():
    made = bands(TOGETHER + 2)
    figure = budget_figure(made, "m0", ("x", "y"))
    shown = [axes for axes in figure.axes if axes.get_lines()]
    assert len(shown) == TOGETHER + 1
    assert all(lines(axes, "m0") for axes in shown)
    assert [axes.get_title(loc="left") for axes in shown] == list(made)[1:]


def test_pairs_are_drawn_seed_by_seed():
    values = {"a": {0: 1.0, 1: 3.0}, "b": {0: 2.0, 1: 3.5}, "c": {7: 1.0}}
    figure = paired_figure(pair(values, "a", 1), "a", "tau", {"macs": 2.0})
    _, right = figure.axes
    drawn = np.concatenate(
        [np.atleast_1d(line.get_xdata()) for line in right.get_lines()]
    )
    assert {1.0, 0.5, 0.75} <= set(np.round(drawn, 6))
    alone = paired_figure(pair({"a": {0: 1.0}}, "a", 1), "a", "tau")
    assert len(alone.axes) == 1


@pytest.mark.parametrize("baseline", ["b", None])
def test_colours_stay_while_methods_do(baseline):
    found = colours(["a", "b", "c"], baseline)
    assert len(set(found.values())) == 3

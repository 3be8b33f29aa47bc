"""The page's section about sub-supernets, from a record made by hand."""

import dataclasses

import pytest

from nas.report.distance_figure import distance_figure
from nas.report.partition import partition
from nas.report.record import read_record

SPLIT = {
    "sub_supernet": 0,
    "decision": "edge_1",
    "groups": [["none", "<conv>"], ["skip"]],
    "evidence": {
        "repeats": 12,
        "passes": 36,
        "agreement": 0.93,
        "candidates": [
            {
                "decision": "edge_0",
                "options": ["a", "b"],
                "distance": [[0.0, 0.1], [0.1, 0.0]],
                "groups": [["a"], ["b"]],
                "within": 0.0,
                "between": 0.1,
            },
            {
                "decision": "edge_1",
                "options": ["none", "skip", "<conv>"],
                "distance": [[0.0, 1.25, None], [1.25, 0.0, 0.75], [None, 0.75, 0.0]],
                "groups": [["none", "<conv>"], ["skip"]],
                "within": 0.0,
                "between": 2.0,
            },
        ],
    },
}
REFINEMENT = {
    "step": 500,
    "splits": [SPLIT],
    "allowed": [
        {"edge_0": ["a", "b"], "edge_1": ["none", "<conv>"]},
        {"edge_0": ["a", "b"], "edge_1": ["skip"]},
    ],
}


@pytest.fixture
def record(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    return dataclasses.replace(read_record(tmp_path), refinements=[REFINEMENT])


def test_a_run_that_was_not_split_has_no_section(record):
    assert partition(dataclasses.replace(record, refinements=[])) == ""


def test_the_section_says_what_was_split_and_by_what(record):
    text = partition(record)
    assert (
        "After step 500: edge_1 of sub-supernet 0 into none, &lt;conv&gt; | skip."
        in text
    )
    assert "36 passes" in text and "93% of resampled batches" in text
    assert text.index("edge_1</td><td>") < text.index("edge_0</td><td>")
    # Only what is not allowed in full is listed for a part.
    assert "edge_1 skip" in text and "edge_0 a" not in text


def test_the_figure_orders_options_by_group_and_marks_what_is_undefined():
    figure = distance_figure([SPLIT])
    (axes,) = [a for a in figure.axes if a.get_visible()]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["none", "<conv>", "skip"]
    written = [t.get_text() for t in axes.texts]
    assert written == ["-", "1.25", "-", "0.75", "1.25", "0.75"]

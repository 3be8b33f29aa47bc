"""`--latency`: a file for a search, and a flag of `nas profile`."""

import pytest

from nas.cli.arguments import parse
from nas.cli.experiments import load_experiment
from nas.cli.session import apply_given, given_pairs, merge
from nas.cli.stages import stage_by_name
from nas.errors import UserError
from nas.latency import CSVLatency, MeasuredLatency


def pairs(stage, *tokens):
    return given_pairs(parse(tokens, stage_by_name()[stage].options, most=1))


def test_a_search_is_told_a_file():
    given = pairs("search", "x", "--latency", "phone.csv")
    assert given == (("latency", "phone.csv"),)
    experiment, _ = load_experiment("digits_64")
    assert apply_given(experiment, given).latency.source == CSVLatency("phone.csv")
    given = (("latency", "l.json"), ("latency.samples", "30"))
    latency = apply_given(experiment, given).latency
    assert latency.source == MeasuredLatency("l.json") and latency.samples == 30
    before = (*given, ("latency.source.path", "old.json"))
    assert merge(before, (("latency", "b.csv"),)) == (
        ("latency.samples", "30"),
        ("latency", "b.csv"),
    )
    with pytest.raises(UserError, match=r"--latency x\.npz: give a"):
        apply_given(experiment, (("latency", "x.npz"),))


def test_a_table_knows_its_own():
    experiment, _ = load_experiment("digits_625_tabular")
    with pytest.raises(UserError, match="searches a table, whose own columns"):
        apply_given(experiment, (("latency", "x.csv"),))


def test_profiling_has_a_flag():
    assert pairs("profile", "x", "--latency", "--latency.samples", "8") == (
        ("latency.samples", "8"),
    )

"""What `rank.json` says, on scores whose relation is known."""

import json

import numpy as np
import pytest

from nas.errors import UserError
from nas.ranking.correlation import tau_b
from nas.ranking.held_out import HeldOut
from nas.ranking.rank import rank


def world(n=300, seeds=3):
    """A truth that a rule half explains; one estimate knows more, one copies it."""
    rng = np.random.default_rng(0)
    rule, rest = rng.normal(size=(2, n))
    truth = (rule + rest)[:, None] + 0.3 * rng.normal(size=(n, seeds))
    knows = 0.3 * rule + rest + 0.5 * rng.normal(size=n)
    copies = rule + 0.5 * rng.normal(size=n)
    return truth, rule, knows, copies


def test_the_report_is_whole_and_json():
    truth, rule, knows, copies = world()
    random = np.random.default_rng(1).normal(size=len(truth))
    learned = {"ridge": HeldOut(0.5, 0.4, 0.6, 50, 250, 20)}
    found = rank(
        truth,
        {"nll": knows, "error": copies},
        {"random": random, "rule": rule},
        learned=learned,
        provenance={"table": "made here"},
        resamples=200,
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["tau"] == tau_b(truth.mean(1), knows) == found["by"]["nll"]["tau"]
    assert found["low"] < found["tau"] < found["high"]
    assert found["n"] == 300 and found["ties"] == {"truth": 0, "estimate": 0}
    assert set(found["baselines"]) == {"random", "rule", "ridge"}
    assert (
        found["baselines"]["random"]["low"] < 0 < found["baselines"]["random"]["high"]
    )
    assert found["baselines"]["ridge"]["tau"] == 0.5
    assert found["ceiling"]["seeds"] == 3 and found["truth"] == {"table": "made here"}


def test_an_estimate_that_copies_the_rule_is_told_from_one_that_knows_more():
    truth, rule, knows, copies = world()
    found = rank(truth, {"nll": copies, "knows": knows}, {"rule": rule}, resamples=200)
    partial = found["partial_tau"]
    assert partial["given"] == "rule"
    assert found["low"] > 0.2
    # Its partial tau is above zero, and no more than a copy's.
    assert partial["low"] > 0.02 and partial["copy"] > 0.1
    assert partial["beyond_copy_low"] < 0 < partial["beyond_copy_high"]
    assert abs(partial["beyond_copy"]) < 0.05
    more = found["by"]["knows"]["partial_tau"]
    assert more["beyond_copy_low"] > 0.2 and more["copy"] < 0.1


def test_given_the_estimate_itself_there_is_no_partial_tau():
    truth, rule, _, _ = world(50)
    found = rank(truth, {"nll": rule}, {"rule": rule}, resamples=20)
    assert found["partial_tau"].pop("given") == "rule"
    assert set(found["partial_tau"].values()) == {None}


def test_a_constant_estimate_has_no_tau_and_without_baselines_nothing_is_given():
    found = rank(np.arange(9.0)[:, None], {"nll": np.ones(9)}, resamples=20)
    assert found["tau"] is found["low"] is found["partial_tau"]["given"] is None
    assert found["ties"] == {"truth": 0, "estimate": 36}


def test_copies_in_classes_make_no_evidence():
    rng = np.random.default_rng(3)
    truth, estimate = rng.normal(size=(2, 40))
    estimate = estimate + truth
    copies = [np.repeat(values, 4) for values in (truth, estimate, np.arange(40))]
    widths = []
    for classes in (None, copies[2]):
        found = rank(copies[0][:, None], {"nll": copies[1]}, classes=classes)
        widths.append(found["high"] - found["low"])
    alone = rank(truth[:, None], {"nll": estimate})
    assert widths[0] < 0.65 * widths[1]
    assert widths[1] == pytest.approx(alone["high"] - alone["low"], rel=0.15)


def test_what_cannot_be_compared_is_refused():
    truth = np.arange(9.0)[:, None]
    with pytest.raises(UserError, match="no estimate 'nll'; found: error"):
        rank(truth, {"error": truth[:, 0]})
    with pytest.raises(UserError, match="'rule' is no baseline here"):
        rank(truth, {"nll": truth[:, 0]}, {"macs": truth[:, 0]}, given="rule")
    with pytest.raises(UserError, match=r"macs has the shape \(8,\)"):
        rank(truth, {"nll": truth[:, 0]}, {"macs": truth[1:, 0]})

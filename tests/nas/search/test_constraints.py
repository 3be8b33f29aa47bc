"""Constraints: reading them, and knowing beforehand whether they can be met."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import UserError
from nas.search import Constraint, check_satisfiable, parse
from nas.search.constraints import total_violation

COLUMNS = ("nll", "error", "macs", "params")
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
operators = st.sampled_from(["<=", ">=", "<", ">"])


@given(st.sampled_from(COLUMNS), operators, finite)
def test_what_is_written_is_read_back(name, op, value):
    constraint = Constraint(name, op, value)
    assert parse(str(constraint), COLUMNS) == constraint


def test_spellings():
    assert parse(" macs <= 2e6 ", COLUMNS) == Constraint("macs", "<=", 2e6)
    assert parse("error<.5", COLUMNS) == Constraint("error", "<", 0.5)
    assert parse("nll>-1", COLUMNS) == Constraint("nll", ">", -1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("macs=2e6", "write a name, one of"),
        ("macs", "write a name, one of"),
        ("2e6>macs", "write a name, one of"),
        ("macs<=2e6<=3", "write a name, one of"),
        ("mcas<=2e6", "called 'mcas'. Did you mean macs"),
        ("watts<=2", "Allowed: error, macs, nll, params"),
        ("macs<=2M", "'2M' is not a finite number"),
        ("macs<=nan", "'nan' is not a finite number"),
        ("macs<=inf", "'inf' is not a finite number"),
    ],
)
def test_what_cannot_be_read_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        parse(text, COLUMNS)


@given(operators, finite, st.lists(finite, min_size=1, max_size=5))
def test_violation_is_zero_exactly_where_it_holds(op, bound, values):
    constraint = Constraint("macs", op, bound)
    python = {
        "<=": float.__le__,
        ">=": float.__ge__,
        "<": float.__lt__,
        ">": float.__gt__,
    }
    holds = [python[op](value, bound) for value in [*values, bound]]
    with np.errstate(over="ignore"):
        violation = constraint.violation(np.array([*values, bound]))
    assert (violation == 0).tolist() == holds
    assert (violation >= 0).all()


def test_violations_are_relative_and_add_up_over_known_columns():
    constraints = (Constraint("macs", "<=", 200.0), Constraint("nll", "<", 1.0))
    table = {"macs": np.array([100, 300]), "nll": np.array([3.0, 0.0])}
    np.testing.assert_allclose(total_violation(constraints, table, 2), [2.0, 0.5])
    only = {"macs": table["macs"]}
    np.testing.assert_allclose(total_violation(constraints, only, 2), [0.0, 0.5])


def suggestion(error):
    return re.findall(r"--where '([^']+)'", str(error.value))[-1]


@pytest.mark.parametrize("op", ["<=", "<", ">=", ">"])
@pytest.mark.parametrize("name", ["elastic", "cells"])
def test_what_the_message_tells_to_write_can_be_met_and_nothing_tighter(
    name, op, request
):
    """Both exactly, by enumeration, and by descent in a space of 9.8 million."""
    landscape = request.getfixturevalue(name)
    sums = landscape.macs.sum(axis=0)
    if name == "cells":  # additive, so the ends are known
        low, high = sums[0], sums[-1]
    else:
        values = landscape.costs(landscape.space.enumerate())["macs"]
        low, high = values.min(), values.max()
    value = low - 1 if op.startswith("<") else high + 1
    bad = (parse(f"macs{op}{value}", ("macs",)),)
    with pytest.raises(UserError, match="cannot be met in space") as error:
        check_satisfiable(bad, landscape.space, landscape.costs)
    told = parse(suggestion(error), ("macs",))
    assert told.value == (low if op.startswith("<") else high)
    found = check_satisfiable((told,), landscape.space, landscape.costs)
    assert len(found) and told.holds(landscape.costs(found)["macs"]).all()


def test_a_bound_that_sampling_never_meets_is_met_by_descent(cells):
    low = int(cells.macs[:, 0].sum())
    tight = (parse(f"macs<={low}", ("macs",)),)
    found = check_satisfiable(tight, cells.space, cells.costs)
    assert cells.costs(found)["macs"].tolist() == [low]


def test_a_contradiction_is_called_one(elastic):
    both = tuple(parse(text, ("macs",)) for text in ("macs<=150", "macs>=200"))
    with pytest.raises(UserError, match=r"cannot be met together.*macs = "):
        check_satisfiable(both, elastic.space, elastic.costs)


def test_what_must_be_evaluated_is_not_judged_beforehand(elastic):
    late = (parse("nll<=-1e9", ("nll",)),)
    found = check_satisfiable(late, elastic.space, elastic.costs)
    assert 1 <= len(found) <= 256
    assert len(np.unique(found, axis=0)) == len(found)

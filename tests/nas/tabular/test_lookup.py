"""What a search sees of a table, what it may not see, and what is refused."""

import dataclasses

import numpy as np
import pytest

from nas.errors import UserError
from tests.nas.tabular.parts import ERROR, GENOTYPES, SPACE, bound, searched, table


def test_one_seed_decides_and_the_others_are_reported():
    lookup = bound(table(latency_ms=np.arange(6)))
    order = np.array([4, 0, 5])
    found = lookup.evaluate(GENOTYPES[order])
    np.testing.assert_array_equal(found["error"], ERROR[order, 0])
    np.testing.assert_array_equal(found["latency_ms"], order)
    assert lookup.columns == ("error", "macs", "latency_ms")
    np.testing.assert_allclose(lookup.reported(), ERROR[:, 1:].mean(1))
    assert lookup.costs(GENOTYPES[:1]).keys() == {"macs", "latency_ms"}


def test_several_seeds_may_decide():
    lookup = bound(table(), decide=(0, 2))
    np.testing.assert_allclose(lookup.measured["error"], ERROR[:, [0, 2]].mean(1))
    np.testing.assert_array_equal(lookup.reported(), ERROR[:, 1])


def test_architectures_without_another_seed_are_left_out():
    error = ERROR.copy()
    error[2, 1:] = np.nan
    error[3, 2] = np.nan
    lookup = bound(table(error))
    assert lookup.left_out == 1
    np.testing.assert_array_equal(lookup.reported()[3], 0.2)
    search = lookup.search(searched())
    assert search.where == ("report_seeds>=1",)
    np.testing.assert_array_equal(lookup.allowed(search.where), np.arange(6) != 2)
    assert bound(table()).search(searched()) == searched()


def test_the_interval_is_of_the_spread_of_seeds():
    lookup = bound(table())
    low, high = lookup.interval(0)
    # All six are neighbours: their variances between three seeds are pooled.
    half = 1.96 * np.sqrt(ERROR.var(axis=1, ddof=1).mean()) / np.sqrt(2)
    np.testing.assert_allclose([low, high], [max(0, 0.2 - half), 0.2 + half])


def test_a_look_up_outside_of_the_table_names_the_architecture():
    lookup = dataclasses.replace(bound(table()), table=table(rows=[0, 1, 3, 4, 5]))
    with pytest.raises(UserError, match="architecture 1-0 is not in the table"):
        lookup.rows(GENOTYPES[:4])


@pytest.mark.parametrize(
    ("truth", "search", "decide", "messages"),
    [
        (table(rows=[0, 1, 3, 4]), None, (0,), ["2 are missing, such as 1-0"]),
        (table(), None, (7,), ["no seed 7", "Allowed: 0, 1, 2"]),
        (table(), None, (0, 1, 2), ["no seed is left to report"]),
        (table(), searched("errors"), (0,), ["'errors'", "Did you mean error?"]),
        (table(), searched("nll"), (0,), ["nll of architecture 0-0 is nan"]),
        (
            table(ms=[1, 2, np.inf, 4, 5, 6]),
            searched("error", "ms"),
            (0,),
            ["ms of architecture 1-0 is inf"],
        ),
        (
            table(np.where(ERROR == 0.6, np.nan, ERROR)),
            None,
            (0,),
            ["error of architecture 2-0 is nan"],
        ),
        (table(), searched(where=("mac<=3",)), (0,), ["'mac'", "macs"]),
    ],
)
def test_what_cannot_be_searched_is_refused(truth, search, decide, messages):
    with pytest.raises(UserError) as caught:
        bound(truth, search, decide)
    for message in messages:
        assert message in str(caught.value)


def test_constraints_that_exclude_everything_say_what_there_is():
    with pytest.raises(UserError, match=r"error<=0.05' \(error is from 0.1 to 0.6\)"):
        bound(table()).allowed(("error<=0.05",))


def test_gaps_in_what_nobody_asks_for_only_hide_the_column():
    lookup = bound(table(ms=[1, 2, np.nan, 4, 5, 6]))
    assert "ms" not in lookup.columns and "nll" not in lookup.columns


def test_rows_may_be_in_any_order():
    order = np.array([3, 1, 0, 5, 4, 2])
    lookup = bound(table(rows=order))
    found = lookup.evaluate(GENOTYPES)
    np.testing.assert_array_equal(found["error"], ERROR[:, 0])
    assert [SPACE.id(g) for g in lookup.table.genotypes[:2]] == ["1-1", "0-1"]

"""The search loop: an exact budget, no evaluation twice, and an end."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np
import pytest

from nas.errors import UserError
from nas.search import Controller, Search, hypervolume
from nas.search.nsga2 import NSGA2
from nas.search.random import RandomSearch


@dataclasses.dataclass(frozen=True)
class Stubborn(Controller):
    """Proposes the same genotypes for ever."""

    first_option: int = 0

    NAME: ClassVar[str] = "stubborn"

    def init(self, key, problem):
        return {"told": np.array(0)}

    def ask(self, state, problem):
        genotypes = np.zeros((4, problem.space.num_decisions), np.int32)
        genotypes[:, 0] = self.first_option
        return state, genotypes

    def tell(self, state, problem, genotypes, objectives, violation):
        return {"told": state["told"] + len(genotypes)}


def run(loop, seed=0, archive=None):
    state = loop.init(jax.random.key(seed), archive)
    while not loop.done(state):
        state = loop.step(state)
    return state


@pytest.mark.parametrize("budget", [1, 49, 50, 51, 137])
def test_the_budget_is_exact_and_nothing_is_evaluated_twice(budget, elastic):
    loop = elastic.loop(Search(NSGA2(), evaluations=budget))
    state = run(loop)
    evaluated = np.concatenate(elastic.calls)
    assert len(evaluated) == budget == len(loop.archive(state))
    assert len(np.unique(evaluated, axis=0)) == budget
    np.testing.assert_array_equal(evaluated, loop.archive(state).genotypes)
    after = loop.step(state)
    assert after is state


@pytest.mark.parametrize("where", [(), ("macs<=200",), ("macs<=200", "macs>100")])
def test_it_stops_when_every_feasible_architecture_is_known(where, elastic):
    loop = elastic.loop(Search(RandomSearch(20), evaluations=10_000, where=where))
    state = run(loop)
    every = elastic.space.enumerate()
    feasible = every[loop.problem.feasible(every)]
    known = loop.archive(state).genotypes[: len(loop.archive(state))]
    assert len(known) == len(feasible)
    assert {g.tobytes() for g in known} == {g.tobytes() for g in feasible}
    assert bool(state["exhausted"])


def test_where_a_controller_is_stuck_the_loop_goes_on_by_chance(cells):
    loop = cells.loop(Search(Stubborn(), evaluations=30, where=("macs<=350",)))
    state = run(loop)
    assert state["evaluations"] == 30
    assert (loop.archive(state).column("macs") <= 350).all()
    # Told of its own four at each ask, and of what the loop chose.
    assert state["controller"]["told"] >= 29


def test_an_infeasible_proposal_is_refused(cells):
    costs = cells.costs(np.zeros((1, 10), np.int32))["macs"][0]
    loop = cells.loop(Search(Stubborn(), evaluations=5, where=(f"macs>{costs}",)))
    with pytest.raises(ValueError, match="'stubborn' proposed an architecture that"):
        run(loop)
    with pytest.raises(ValueError, match="proposal of controller 'stubborn'"):
        run(cells.loop(Search(Stubborn(first_option=9), evaluations=5)))


def test_hypervolume_grows_and_is_that_of_the_front(elastic):
    loop = elastic.loop(Search(NSGA2(population=20), evaluations=120))
    state = loop.init(jax.random.key(0))
    assert loop.hypervolume(state) == 0.0
    volumes, used = [], []
    while not loop.done(state):
        state = loop.step(state)
        volumes.append(loop.hypervolume(state))
        used.append(int(state["evaluations"]))
    history = loop.hypervolumes(state)
    assert len(history) == 120
    assert (np.diff(history) >= 0).all()
    np.testing.assert_allclose(volumes, history[np.array(used) - 1], rtol=1e-12)
    # The rule: a tenth of the first generation's range beyond its worst.
    points = loop.archive(state).values[:20]
    span = np.ptp(points, axis=0)
    np.testing.assert_allclose(state["reference"], points.max(axis=0) + 0.1 * span)
    everything = loop.archive(state).values[:120]
    expected = hypervolume(everything / span, state["reference"] / span)
    assert history[-1] == pytest.approx(expected)


def test_a_second_search_pays_only_for_what_is_new(elastic):
    first = elastic.loop(Search(RandomSearch(), evaluations=100))
    archive = first.archive(run(first))
    elastic.calls.clear()
    second = elastic.loop(Search(NSGA2(), ("macs", "nll"), 60, ("macs<=400",)))
    state = run(second, archive=archive)
    both = second.archive(state)
    new = np.concatenate(elastic.calls)
    assert (archive.find(new) == -1).all()
    assert len(both) == 100 + len(new)
    assert both.search[: len(both)].tolist() == [0] * 100 + [1] * len(new)
    assert (both.values[second.front(state)][:, 1] <= 400).all()
    assert (both.column("macs")[100:] <= 400).all()


def test_a_constraint_on_what_is_evaluated_steers_and_filters(cells):
    free = cells.loop(Search(NSGA2(), evaluations=500))
    bound = float(np.quantile(free.archive(run(free)).column("nll"), 0.2))
    loop = cells.loop(Search(NSGA2(), evaluations=500, where=(f"nll<={bound}",)))
    state = run(loop)
    archive = loop.archive(state)
    nll = archive.column("nll")
    assert (nll[loop.front(state)] <= bound).all()
    assert len(loop.front(state)) > 0
    # A fifth of all that a free search evaluates meets the bound.
    assert (nll[-200:] <= bound).mean() > 0.4


def test_a_value_that_is_not_finite_stops_the_search_by_name(elastic):
    def broken(genotypes):
        table = elastic.evaluate(genotypes)
        table["nll"][3] = np.nan
        return table

    loop = dataclasses.replace(
        elastic.loop(Search(NSGA2(), evaluations=50)), evaluate=broken
    )
    state = loop.init(jax.random.key(0))
    with pytest.raises(UserError, match=r"architecture [\d-]+ gave nll = nan"):
        loop.step(state)


@pytest.mark.parametrize(
    ("nll", "message"),
    [
        (lambda table: table.pop("nll"), "gave nll not at all"),
        (lambda table: table.update(nll=0.5), r"gave nll of shape \(\)"),
        (lambda table: table.update(nll=table["nll"][:, None]), r"\(\d+, 1\)"),
    ],
)
def test_a_value_of_another_shape_stops_the_search_by_name(elastic, nll, message):
    def broken(genotypes):
        table = dict(elastic.evaluate(genotypes))
        nll(table)
        return table

    loop = dataclasses.replace(
        elastic.loop(Search(NSGA2(), evaluations=50)), evaluate=broken
    )
    with pytest.raises(UserError, match=message) as caught:
        loop.step(loop.init(jax.random.key(0)))
    assert "of which the first is" in str(caught.value)


def test_impossible_searches_are_refused_before_anything_runs(elastic):
    with pytest.raises(UserError, match="evaluations is 0"):
        Search(NSGA2(), evaluations=0)
    with pytest.raises(UserError, match="each once"):
        Search(NSGA2(), ("nll", "nll"))
    with pytest.raises(UserError, match="called 'latency'"):
        elastic.loop(Search(NSGA2(), ("latency",)))
    with pytest.raises(UserError, match="Did you mean macs"):
        elastic.loop(Search(NSGA2(), where=("mac<=3",)))
    with pytest.raises(UserError, match="cannot be met in space 'elastic'"):
        elastic.loop(Search(NSGA2(), where=("macs<=0",)))
    assert elastic.calls == []

"""What a guided search fits, whom it lets search, and what it then proposes."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from nas.errors import UserError
from nas.search import Search, discover
from nas.search.guided import Guided
from predictors.base import Fitted, Prediction, Predictor
from predictors.random_forest import RandomForest

CALLS: list[tuple[np.ndarray, np.ndarray]] = []


@dataclasses.dataclass(frozen=True)
class Spy(Predictor):
    """Keeps what it is fitted to; is sure of nothing where the first decision is 1."""

    NAME = "spy"
    LEAST = 2

    def fit(self, encodings, values):
        CALLS.append((encodings, values))
        return Expected()


class Expected(Fitted):
    def predict(self, encodings):
        return Prediction(np.full(len(encodings), 0.5), encodings[:, 1].copy())


def told(guided, problem, landscape, num, seed=0):
    genotypes = np.asarray(problem.space.sample(jax.random.key(seed), num))
    genotypes = np.unique(problem.space.canonical(genotypes), axis=0)
    state = guided.init(jax.random.key(seed), problem)
    points = landscape.points(genotypes)
    return (
        guided.tell(state, problem, genotypes, points, np.zeros(len(points))),
        genotypes,
        points,
    )


@pytest.mark.slow
def test_it_fits_ranks_of_all_that_was_told_and_no_cost_that_is_known(cells):
    loop = cells.loop(Search(Guided(predictor=Spy())))
    state, genotypes, points = told(Guided(), loop.problem, cells, 60)
    CALLS.clear()
    _, asked = Guided(predictor=Spy()).ask(state, loop.problem)
    assert len(asked) == 50
    ((encodings, values),) = CALLS  # the error alone: MACs are known
    np.testing.assert_array_equal(encodings, cells.space.one_hot(genotypes))
    np.testing.assert_allclose(values, stats.rankdata(points[:, 0]) / len(points))
    known = loop.problem.exact(genotypes)
    assert np.isnan(known[:, 0]).all()
    np.testing.assert_array_equal(known[:, 1], points[:, 1])
    # Who is not told the costs has to predict them, too.
    CALLS.clear()
    Guided(predictor=Spy()).ask(state, cells.problem())
    np.testing.assert_allclose(CALLS[1][1], stats.rankdata(points[:, 1]) / len(points))


def test_with_too_few_measurements_it_proposes_at_random(cells):
    guided = Guided(predictor=Spy(), initial=30)
    state, *_ = told(guided, cells.problem(), cells, 29)
    CALLS.clear()
    _, asked = guided.ask(state, cells.problem())
    assert len(np.unique(asked, axis=0)) == 50 and not CALLS


def test_what_nobody_knows_is_tried(cells):
    # All are expected to do alike, and cost alike; the second option is uncertain.
    state, *_ = told(Guided(), cells.problem(), cells, 60)
    shares = [
        (Guided(predictor=Spy(), optimism=o).ask(state, cells.problem())[1][:, 0] == 1)
        for o in (0.0, 2.0)
    ]
    assert shares[1].mean() > shares[0].mean() + 0.3


@pytest.mark.parametrize("inner", ["evolution", "local", "random"])
def test_any_black_box_controller_searches_the_predictor(inner, cells):
    loop = cells.loop(Search(Guided()))
    guided = Guided(controller=discover()[inner](), batch=10, generations=6)
    state, genotypes, points = told(guided, loop.problem, cells, 300)
    _, asked = guided.ask(state, loop.problem)
    again = guided.ask(state, loop.problem)[1]
    np.testing.assert_array_equal(asked, again)
    assert not {g.tobytes() for g in asked} & {g.tobytes() for g in genotypes}
    # Of ten, several are beyond the front of three hundred random ones.
    found = cells.points(asked)
    beaten = (points[:, None] <= found[None]).all(-1).any(0)
    assert beaten.mean() <= 0.6


@pytest.mark.slow
def test_trees_are_no_state_and_are_grown_again(elastic):
    guided = Guided(predictor=RandomForest(trees=5), batch=8, initial=16)
    loop = elastic.loop(Search(guided, evaluations=32))
    state = broken = loop.init(jax.random.key(0))
    while not loop.done(state):
        state = loop.step(state)
        broken = loop.step(jax.tree.map(np.copy, broken))
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(state))
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(broken), strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_latest_measurements_are_remembered(cells):
    guided = Guided(memory=50)
    state, genotypes, _ = told(guided, cells.problem(), cells, 80)
    assert state["genotypes"].shape == (50, 10)
    np.testing.assert_array_equal(state["genotypes"], genotypes[-50:])
    again = genotypes[-3:-2]
    state = guided.tell(state, cells.problem(), again, np.ones((1, 2)), np.zeros(1))
    assert len(np.unique(state["genotypes"], axis=0)) == 50
    np.testing.assert_array_equal(state["objectives"][-1], [1, 1])


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match="generations is 0"):
        Guided(generations=0)
    with pytest.raises(UserError, match="optimism is -1"):
        Guided(optimism=-1.0)
    with pytest.raises(UserError, match="memory is 30, but 50"):
        Guided(memory=30)

"""Regularised evolution: it ages, and it finds what random search does not."""

import jax
import numpy as np
import pytest

from nas.errors import UserError
from nas.search import Problem, Search, SearchLoop
from nas.search.evolution import RegularizedEvolution
from nas.search.random import RandomSearch


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 1}, "population is 1"),
        ({"sample_size": 0}, "sample_size is 0"),
        ({"population": 5, "sample_size": 6, "batch": 2}, "sample_size is 6"),
        ({"batch": 51}, "batch is 51"),
        ({"mutation_rate": 1.5}, "mutation_rate is 1.5"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        RegularizedEvolution(**settings)


def test_the_oldest_leave_however_good(cells):
    problem = Problem(cells.space, 1)
    controller = RegularizedEvolution(population=4, sample_size=2, batch=2)
    state = controller.init(jax.random.key(0), problem)
    every = np.asarray(cells.space.sample(jax.random.key(1), 6))
    for pair in (every[:2], every[2:4], every[4:]):
        objectives = np.arange(2.0)[:, None] + 10 * float(pair is not every[:2])
        state = controller.tell(state, problem, pair, objectives, np.zeros(2))
    np.testing.assert_array_equal(state["genotypes"], every[2:])


def test_children_are_one_decision_away_from_a_member(cells):
    problem = Problem(cells.space, 1)
    controller = RegularizedEvolution(population=8, sample_size=8, batch=8)
    state = controller.init(jax.random.key(0), problem)
    members = np.asarray(cells.space.sample(jax.random.key(1), 8))
    values = np.arange(8.0)[:, None]
    state = controller.tell(state, problem, members, values, np.zeros(8))
    _, children = controller.ask(state, problem)
    distance = (children[:, None] != members[None]).sum(axis=2)  # [children, members]
    assert (distance.min(axis=1) == 1).all()
    # Of 8 entrants drawn with replacement, all are of the worse half in 0.4 %.
    assert (distance[:, :4].min(axis=1) == 1).mean() > 0.8


def test_it_beats_random_search_on_a_unimodal_problem_at_every_seed(cells):
    target = np.random.default_rng(7).integers(0, 5, 10)

    def evaluate(genotypes):
        return {"nll": ((genotypes - target) ** 2).sum(axis=1)}

    best = {}
    for controller in (RegularizedEvolution(), RandomSearch()):
        search = Search(controller, ("nll",), evaluations=400)
        loop = SearchLoop(search, cells.space, ("nll",), evaluate, lambda genotypes: {})
        best[controller.NAME] = []
        for seed in range(5):
            state = loop.init(jax.random.key(seed))
            while not loop.done(state):
                state = loop.step(state)
            best[controller.NAME].append(loop.archive(state).column("nll").min())
    assert (np.array(best["evolution"]) < np.array(best["random"])).all(), best
    assert np.mean(best["evolution"]) < 2 < np.mean(best["random"]), best

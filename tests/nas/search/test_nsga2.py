"""NSGA-II against pymoo's, and against the rules of the paper."""

import jax
import numpy as np
import pytest
from scipy import stats

from experiments.studies.pymoo_nsga2 import looked_up
from nas.errors import UserError
from nas.search import Problem, Search, hypervolume
from nas.search.nsga2 import NSGA2
from nas.search.random import RandomSearch

EVALUATIONS = 1000
SEEDS = range(5)


def our_points(landscape, controller, seed):
    loop = landscape.loop(Search(controller, evaluations=EVALUATIONS))
    state = loop.init(jax.random.key(seed))
    while not loop.done(state):
        state = loop.step(state)
    assert state["evaluations"] == EVALUATIONS
    return loop.archive(state).values[loop.front(state)]


def pymoo_points(landscape, seed):
    loop = landscape.loop(Search(NSGA2(), evaluations=EVALUATIONS))
    genotypes = looked_up(loop, EVALUATIONS, NSGA2().population, seed)
    assert len(np.unique(genotypes, axis=0)) == EVALUATIONS
    return landscape.points(genotypes)


def test_nothing_says_that_pymoo_finds_more_and_random_is_left_behind(cells):
    every = np.asarray(cells.space.sample(jax.random.key(99), 4000))
    points = cells.points(every)
    low, span = points.min(axis=0), np.ptp(points, axis=0)

    def volume(front):
        return hypervolume((front - low) / span, np.array([1.1, 1.1]))

    theirs = [volume(pymoo_points(cells, seed)) for seed in SEEDS]
    ours = [volume(our_points(cells, NSGA2(), seed)) for seed in SEEDS]
    chance = [volume(our_points(cells, RandomSearch(), seed)) for seed in SEEDS]
    # Welch's interval of the difference; the test of tables has a margin as well.
    interval = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert interval.high > 0, (ours, theirs)
    assert min(ours) > max(chance), (ours, chance)


def test_survivors_are_the_front_and_copies_go_first(elastic):
    problem = Problem(elastic.space, 2)
    controller = NSGA2(population=3)
    state = controller.init(jax.random.key(0), problem)
    genotypes = elastic.space.enumerate()[:6]
    objectives = np.array([[0, 4], [4, 0], [2, 2], [2, 2], [1, 3], [5, 5]], float)
    state = controller.tell(state, problem, genotypes, objectives, np.zeros(6))
    kept = {tuple(row) for row in state["objectives"]}
    assert kept == {(0.0, 4.0), (4.0, 0.0), (2.0, 2.0)}


def test_a_genotype_told_again_does_not_fill_the_population_with_itself(elastic):
    problem = Problem(elastic.space, 2)
    controller = NSGA2(population=5)
    state = controller.init(jax.random.key(0), problem)
    genotypes = elastic.space.enumerate()[[1, 2, 1]]
    points = elastic.points(genotypes)
    for _ in range(2):
        state = controller.tell(state, problem, genotypes, points, np.zeros(3))
    assert state["count"] == 2
    np.testing.assert_array_equal(
        np.unique(state["genotypes"][:2], axis=0), genotypes[:2]
    )


def test_meeting_the_constraints_comes_before_any_objective(elastic):
    problem = Problem(elastic.space, 2)
    controller = NSGA2(population=2)
    state = controller.init(jax.random.key(0), problem)
    genotypes = elastic.space.enumerate()[:4]
    objectives = np.array([[0, 0], [9, 9], [1, 1], [5, 5]], float)
    violation = np.array([3.0, 0.0, 1.0, 2.0])
    state = controller.tell(state, problem, genotypes, objectives, violation)
    np.testing.assert_array_equal(state["violation"], [0.0, 1.0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 1}, "population is 1"),
        ({"crossover_probability": -0.1}, "crossover_probability is -0.1"),
        ({"mutation_probability": 1.1}, "mutation_probability is 1.1"),
        ({"mutation_rate": 2.0}, "mutation_rate is 2.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        NSGA2(**settings)

"""Gradient controllers: what they follow, what it costs, and what they leave alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.relaxations import derive_all
from nas.search import DARTS, GDAS, DrNAS, Problem, Search
from nas.search.base import Relaxed
from nas.search.gradient import PASSES
from search_spaces import Architecture, Decision, SearchSpace

CONTROLLERS = {
    "darts": DARTS(),
    "sparse": DARTS(sparse=True),
    "drnas": DrNAS(),
    "gdas": GDAS(horizon=60),
}
SMALL = DARTS(population=5, preferences=4, steps=2)


def test_the_toys_relaxation_is_the_toy_at_its_corners(elastic):
    data = elastic.relaxed.data

    @jax.jit
    def at(genotype):
        arch = Architecture.hard(elastic.space, genotype)
        return elastic.relaxed.objectives(data, arch, arch.weights, None, None)

    for genotype in elastic.space.enumerate()[::37]:
        found = at(genotype)
        want = elastic.points(genotype[None])[0] / [1, 500]
        np.testing.assert_allclose(np.asarray(found), want, rtol=1e-4)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n != "darts")) for n in CONTROLLERS],
)
def test_alphas_find_the_best_of_each_preference(name, cells):
    """Nothing is told: all is learnt from the gradient, for each trade-off its own."""
    controller = dataclasses.replace(CONTROLLERS[name], preferences=3, steps=50)
    problem = cells.problem()
    state = controller.init(jax.random.key(0), problem)
    for _ in range(2):
        state, _ = controller.ask(state, problem)
    derived = derive_all(
        controller.relaxation,
        cells.space,
        state["alphas"],
        np.repeat(cells.space.valid[None], 3, axis=0),
    )
    found = cells.points(derived)
    random = cells.points(np.asarray(cells.space.sample(jax.random.key(1), 2000)))
    # Better than 99 % of random cells in what the preference weighs.
    for p, weight in enumerate(([1, 0], [0.5, 0.5 / 500], [0, 1])):
        assert found[p] @ weight <= np.quantile(random @ weight, 0.01)
    assert found[0, 1] > found[2, 1] and found[0, 0] < found[2, 0]


@pytest.mark.parametrize("name", ["darts", "gdas"])
def test_two_equal_options_go_to_the_cheaper(name):
    space = SearchSpace("toy", (Decision("a", ("dear", "cheap", "bad")),))
    controller = dataclasses.replace(CONTROLLERS[name], preferences=3, steps=40)
    problem = Problem(space, 2, relaxed=TOY)
    state = controller.init(jax.random.key(0), problem)
    for _ in range(2):
        state, _ = controller.ask(state, problem)
    told = controller.scalars(state, problem)
    # The loss alone tells nothing of two alike, and refuses the bad one.
    assert told["alphas/0/a/bad"] < 0.2
    assert told["alphas/1/a/derived"] == 1


def toy(data, arch, rows, home, key):
    del home, key
    return jnp.stack([(arch.weights[0] * data[0]).sum(), (rows[0] * data[1]).sum()])


TOY = Relaxed(
    toy, jnp.asarray([[0.0, 0, 1], [1, 0.5, 1]], jnp.float32), np.ones((1, 1, 3), bool)
)


def test_proposals_live_in_their_sub_supernets(cells):
    """Preference p in sub-supernet p, over and over; draws too."""
    halves = np.stack([cells.space.valid] * 2)
    halves[0, 0, 3:] = halves[1, 0, :3] = False
    relaxed = dataclasses.replace(cells.relaxed, allowed=halves)
    controller = dataclasses.replace(SMALL, population=32)
    problem = Problem(cells.space, 2, relaxed=relaxed)
    state = controller.init(jax.random.key(0), problem)
    state, asked = controller.ask(state, problem)
    homes = asked[:4, 0] >= 3
    assert homes.tolist() == [False, True, False, True]
    assert 8 <= (asked[:, 0] >= 3).sum() <= 24


@pytest.mark.slow
def test_asks_are_charged_to_the_budget(elastic):
    """Passes forward and back, of every preference in every step, by the price."""
    relaxed = dataclasses.replace(elastic.relaxed, price=lambda hard: 0.1 + (not hard))
    soft, hard = SMALL, GDAS(population=5, preferences=4, steps=2)
    problem = Problem(elastic.space, 2, relaxed=relaxed)
    assert hard.overhead(problem) == pytest.approx(PASSES * 4 * 2 * 0.1)
    assert soft.overhead(problem) == pytest.approx(PASSES * 4 * 2 * 1.1)
    loop = dataclasses.replace(
        elastic.loop(Search(hard, evaluations=40)), relaxed=relaxed
    )
    state = loop.init(jax.random.key(0))
    while not loop.done(state):
        state = loop.step(state)
    asks = int(state["generation"])
    assert float(state["charged"]) == pytest.approx(2.4 * asks)
    assert int(state["evaluations"]) + float(state["charged"]) <= 40
    assert int(state["evaluations"]) + 2.4 * (asks + 1) + 1 > 40


def test_a_budget_that_pays_for_no_ask_is_refused(elastic):
    relaxed = dataclasses.replace(elastic.relaxed, price=lambda hard: 1.0)
    loop = dataclasses.replace(
        elastic.loop(Search(DARTS(preferences=2, steps=1), evaluations=6)),
        relaxed=relaxed,
    )
    with pytest.raises(UserError, match=r"'darts' costs as much as 6.0 .* at least 7"):
        loop.init(jax.random.key(0))


def test_without_gradients_they_say_so(elastic):
    loop = dataclasses.replace(elastic.loop(Search(DrNAS())), relaxed=None)
    with pytest.raises(UserError, match=r"drnas follows the gradient .* nsga2"):
        loop.init(jax.random.key(0))


def test_gradients_that_are_not_finite_are_said(cells):
    def broken(data, arch, rows, home, key):
        return jnp.log(0 * arch.weights.sum()) * jnp.ones(2)

    relaxed = dataclasses.replace(cells.relaxed, objectives=broken)
    problem = Problem(cells.space, 2, relaxed=relaxed)
    controller = DARTS(preferences=1, steps=1)
    state = controller.init(jax.random.key(0), problem)
    with pytest.raises(UserError, match=r"darts: the gradient .* not finite"):
        controller.ask(state, problem)


def test_memory_is_a_ring(cells):
    controller = DARTS(memory=5)
    problem = cells.problem()
    state = controller.init(jax.random.key(0), problem)
    rows = np.asarray(cells.space.sample(jax.random.key(1), 23))
    none = np.zeros((0, 2)), np.zeros(0)
    for part in (rows[:3], rows[3:4], rows[4:9], rows[9:23]):
        state = controller.tell(state, problem, part, *none)
    assert {r.tobytes() for r in state["told"]} == {r.tobytes() for r in rows[-5:]}


@pytest.mark.slow
def test_what_is_known_to_be_good_is_evaluated_first(elastic):
    first = elastic.space.enumerate()[[200, 7, 200]]
    loop = elastic.loop(Search(SMALL, evaluations=20))
    loop = dataclasses.replace(loop, first=first)
    loop.step(loop.init(jax.random.key(0)))
    seen = elastic.calls[0]
    assert seen[:2].tolist() == first[:2].tolist() and 5 <= len(seen) <= 7
    # What the constraints refuse is left out.
    limit = int(elastic.costs(first)["macs"].min())
    search = Search(SMALL, evaluations=20, where=(f"macs<={limit}",))
    tight = dataclasses.replace(elastic.loop(search), first=first)
    tight.step(tight.init(jax.random.key(0)))
    seen = elastic.calls[-1]
    assert (elastic.costs(seen)["macs"] <= limit).all()
    assert elastic.costs(seen)["macs"][0] == limit


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DARTS(preferences=0), "preferences"),
        (lambda: DrNAS(anchor=-1.0).relaxation, "anchor"),
        (lambda: GDAS(horizon=0), "horizon"),
        (lambda: GDAS(coldest=0.0), "coldest"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()

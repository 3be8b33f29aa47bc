"""The contract of every controller that is discovered."""

import dataclasses
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.search import Search, SearchLoop, discover
from nas.search.base import Relaxed
from search_spaces import Decision, SearchSpace

CONTROLLERS = discover()
every_controller = pytest.mark.parametrize("name", CONTROLLERS)
# Six searches each, of controllers that compute for long beside what they evaluate.
LONG = ("darts", "drnas", "gdas", "guided", "ppo")


def through_file(state):
    """Save a state as arrays, and restore it from the file alone."""
    leaves, structure = jax.tree.flatten(state)
    file = io.BytesIO()
    np.savez(file, *leaves)
    file.seek(0)
    with np.load(file) as saved:
        leaves = [saved[f"arr_{i}"] for i in range(len(leaves))]
    return jax.tree.unflatten(structure, leaves)


def assert_bitwise_equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())


def test_every_controller_is_found_once_under_its_name():
    assert {"darts", "drnas", "evolution", "gdas", "nsga2", "random"} <= set(
        CONTROLLERS
    )
    for name, controller in CONTROLLERS.items():
        assert name == controller.NAME
        assert dataclasses.is_dataclass(controller)
        assert controller() == controller()
        assert hash(controller()) == hash(controller())


@every_controller
@pytest.mark.parametrize("share", [1.0, 0.3, 0.02])
def test_proposals_are_canonical_feasible_and_distinct(name, share, elastic):
    every = elastic.space.enumerate()
    limit = np.quantile(elastic.costs(every)["macs"], share)

    def feasible(genotypes):
        return elastic.costs(genotypes)["macs"] <= limit

    allowed = int(feasible(every).sum())
    problem = elastic.problem(feasible, every[feasible(every)][:1])
    controller = CONTROLLERS[name]()
    state = controller.init(jax.random.key(1), problem)
    shapes = jax.tree.map(np.shape, state)
    sizes = set()
    for _ in range(6):
        state, asked = controller.ask(state, problem)
        sizes.add(len(asked))
        assert asked.dtype == np.int32
        elastic.space.validate(asked)
        assert (elastic.space.canonical(asked) == asked).all()
        assert feasible(asked).all()
        distinct = len(np.unique(asked, axis=0))
        # Only where fewer than P are allowed at all, some may come twice.
        assert distinct == len(asked) or distinct > 0.9 * allowed
        points = elastic.points(asked)
        zero = np.zeros(len(asked))
        state = controller.tell(state, problem, asked, points, zero)
        assert jax.tree.map(np.shape, state) == shapes
    assert len(sizes) == 1


@every_controller
@pytest.mark.parametrize("where", [(), ("macs<=300",)])
def test_saved_and_restored_anywhere_it_continues_bitwise_equal(name, where, elastic):
    search = Search(CONTROLLERS[name](), evaluations=150, where=where)
    loop = elastic.loop(search)
    straight = broken = loop.init(jax.random.key(2))
    while not loop.done(straight):
        straight = loop.step(straight)
        again = elastic.loop(search)
        broken = through_file(again.step(through_file(broken)))
        assert_bitwise_equal(straight, broken)
    # The constraint leaves fewer than the budget: the loop's own turn is tested too.
    assert bool(straight["exhausted"]) == bool(where)


@every_controller
def test_the_key_decides_every_proposal(name, elastic):
    problem = elastic.problem()
    controller = CONTROLLERS[name]()

    def first(key):
        return controller.ask(controller.init(key, problem), problem)[1]

    np.testing.assert_array_equal(first(jax.random.key(5)), first(jax.random.key(5)))
    # A raw key is the same key; another seed is another.
    np.testing.assert_array_equal(
        first(jax.random.key(5)), first(jax.random.PRNGKey(5))
    )
    assert (first(jax.random.key(5)) != first(jax.random.key(6))).any()


@pytest.mark.parametrize("name", [n for n, c in CONTROLLERS.items() if c().blind])
def test_what_it_is_told_counts_only_once_it_is_not_blind(name, elastic):
    controller, problem = CONTROLLERS[name](), elastic.problem()
    asked = []
    for sign in (-1, 1):
        rng, told, number = np.random.default_rng(0), [], 0
        state = controller.init(jax.random.key(3), problem)
        while number <= controller.blind:
            state, rows = controller.ask(state, problem)
            told.append(rows)
            values = sign * rng.random((len(rows), problem.num_objectives))
            none = np.zeros(len(rows))
            state = controller.tell(state, problem, rows, values, none)
            number += len(rows)
        asked.append(told)
    same = [np.array_equal(a, b) for a, b in zip(*asked, strict=True)]
    assert same == [True] * (len(same) - 1) + [False]


@every_controller
def test_two_asks_without_a_tell_differ(name, elastic):
    problem = elastic.problem()
    controller = CONTROLLERS[name]()
    state = controller.init(jax.random.key(0), problem)
    state, one = controller.ask(state, problem)
    _, two = controller.ask(state, problem)
    assert (one != two).any()


@every_controller
def test_the_whole_front_is_found_given_the_whole_budget(name, elastic):
    size = elastic.space.size
    assert size == 258
    loop = elastic.loop(Search(CONTROLLERS[name](), evaluations=size))
    state = loop.init(jax.random.key(0))
    while not loop.done(state):
        state = loop.step(state)
    found = loop.archive(state).genotypes[loop.front(state)]
    assert {row.tobytes() for row in found} == elastic.front()


@every_controller
def test_tellings_may_be_partial_or_foreign(name, elastic):
    """A controller copes with fewer genotypes told than asked, and with strangers."""
    problem = elastic.problem()
    controller = CONTROLLERS[name]()
    state = controller.init(jax.random.key(0), problem)
    strangers = elastic.space.enumerate()[:7]
    met = {row.tobytes() for row in strangers}
    for told in (strangers, strangers[:0]):
        state = controller.tell(
            state, problem, told, elastic.points(told), np.zeros(len(told))
        )
    for _ in range(60):
        state, asked = controller.ask(state, problem)
        told = asked[: len(asked) // 2]
        met |= {row.tobytes() for row in told}
        state = controller.tell(
            state, problem, told, elastic.points(told), np.zeros(len(told))
        )
    front = elastic.front()
    assert len(front & met) >= 0.8 * len(front)


@every_controller
def test_nothing_feasible_is_said(name, elastic):
    problem = elastic.problem(lambda genotypes: np.zeros(len(genotypes), bool))
    controller = CONTROLLERS[name]()
    state = controller.init(jax.random.key(0), problem)
    with pytest.raises(UserError, match=r"no architecture of space 'elastic'.*--where"):
        controller.ask(state, problem)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
        for name in CONTROLLERS
    ],
)
def test_values_without_structure_teach_nothing(name):
    """Leak control: on independent values no choice of new cells can beat chance.

    Whatever a controller has seen, the value of an architecture never evaluated is
    uniform on [0, 1], so that all it evaluates has mean 1/2 exactly.
    """
    space = SearchSpace("plain", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(7)))
    means = []
    for seed in range(6):
        values = np.random.default_rng(seed).random((2, space.size))

        def evaluate(genotypes, values=values):
            nll, macs = values[:, np.ravel_multi_index(genotypes.T, space.num_options)]
            return {"nll": nll, "macs": macs}

        # Gradients there are, and they know as little of what is not yet evaluated.
        slopes = np.random.default_rng(100 + seed).normal(size=(7, 3))
        loop = _loop(
            space, Search(CONTROLLERS[name](), evaluations=400), evaluate, slopes
        )
        table = _run(loop, seed).table()
        means += [table["nll"].mean(), table["macs"].mean()]
    # Four standard errors of a mean of 12 x 400 uniform values.
    assert np.mean(means) == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / (12 * 400)))


@pytest.mark.parametrize("name", sorted(set(CONTROLLERS) - {"random"}))
def test_structure_is_learnt(name):
    """The other side of the leak control: with structure the mean falls far below."""
    space = SearchSpace("plain", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(7)))

    def evaluate(genotypes):
        nll = genotypes.mean(axis=1) / 2
        return {"nll": nll, "macs": nll}

    slopes = np.tile(np.arange(3) / 14, (7, 1))
    loop = _loop(space, Search(CONTROLLERS[name](), evaluations=400), evaluate, slopes)
    assert _run(loop, 0).table()["nll"].mean() < 0.45


def _loop(space, search, evaluate, slopes):
    relaxed = Relaxed(linear, jnp.asarray(slopes, jnp.float32), space.valid[None])
    columns = ("nll", "macs")
    return SearchLoop(search, space, columns, evaluate, lambda genotypes: {}, relaxed)


def linear(data, arch, rows, home, key):
    """Both objectives are the same sum over decisions."""
    del rows, home, key
    return jnp.repeat((arch.weights * data).sum()[None], 2)


def _run(loop, seed):
    state = loop.init(jax.random.key(seed))
    while not loop.done(state):
        state = loop.step(state)
    return loop.archive(state)

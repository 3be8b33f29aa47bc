"""Policy gradients: of the expected reward, from the policy's own draws alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.policies import Autoregressive, Independent
from nas.search import PPO, Problem, Reinforce, Search, SearchLoop
from nas.search import policy_gradient as shared
from search_spaces import Decision, SearchSpace

SPACE = SearchSpace(
    "few",
    (
        Decision("depth", (1, 2)),
        Decision("width_1", (8, 16, 24)),
        Decision("width_2", (8, 16, 24), ("depth", (2,))),
    ),
)
EVERY = SPACE.enumerate()
ONE = Problem(SPACE, 1)
KINDS = [Reinforce, PPO]
POLICIES = [Independent(), Autoregressive(hidden=8)]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAME)
every_policy = pytest.mark.parametrize(
    "policy", POLICIES, ids=lambda policy: type(policy).__name__
)


def told(controller, state, problem, genotypes, objectives):
    objectives = np.asarray(objectives, np.float64).reshape(len(genotypes), -1)
    zero = np.zeros(len(genotypes))
    return controller.tell(state, problem, genotypes, objectives, zero)


def begun(kind, policy, **settings):
    controller = kind(policy=policy, population=4, **settings)
    state = controller.init(jax.random.key(3), ONE)
    return controller, *controller.ask(state, ONE)


@functools.partial(jax.jit, static_argnames="policy")
def _log_prob(policy, params, rows, preference):
    return policy.log_prob(params, SPACE, rows, preference).sum(-1)


def log_prob(controller, state, genotypes, preferences):
    """float64[N, W]"""
    rows = jnp.asarray(np.repeat(genotypes, len(preferences), axis=0))
    preference = jnp.asarray(np.tile(preferences, (len(genotypes), 1)), jnp.float32)
    found = _log_prob(controller.policy, state["params"], rows, preference)
    return np.asarray(found, np.float64).reshape(-1, len(preferences))


@every_kind
@every_policy
def test_what_was_rewarded_becomes_more_likely(kind, policy):
    controller, state, asked = begun(kind, policy)
    after = told(controller, state, ONE, asked, [0, 1, 1, 1])
    one = np.ones((1, 1))
    gain = log_prob(controller, after, asked, one) - log_prob(
        controller, state, asked, one
    )
    assert gain[0, 0] > 1e-3
    assert gain[0, 0] > gain[1:, 0].max()


@every_policy
def test_one_step_without_a_clip_is_reinforce(policy):
    """By the moments of Adam, of which the first is a tenth of the gradient."""
    _, state, asked = begun(Reinforce, policy)
    plain, one_step = (
        controller.tell(state, ONE, asked, np.arange(4.0)[:, None], np.zeros(4))
        for controller in (
            Reinforce(policy=policy, population=4),
            PPO(policy=policy, population=4, epochs=1, clip=np.inf),
        )
    )
    moments = [jax.tree.leaves(s["optimizer"]) for s in (plain, one_step)]
    for a, b in zip(*moments, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)
    assert any(np.abs(leaf).max() > 0 for leaf in moments[0][1:])


def test_nothing_is_gained_beyond_the_clip():
    controller = PPO(clip=0.2)
    ratio = np.array([0.5, 0.79, 0.9, 1.0, 1.1, 1.21, 2.0], np.float32)

    def gain(new, advantage):
        old = jnp.zeros((len(ratio), 1))
        rows = jnp.full(len(ratio), advantage, jnp.float32)
        return controller.surrogate(new[:, None], old, rows).sum()

    for advantage in (1.0, -1.0):
        found = jax.grad(gain)(jnp.log(ratio), advantage)
        beyond = ratio > 1.2 if advantage > 0 else ratio < 0.8
        np.testing.assert_allclose(
            found, np.where(beyond, 0, advantage * ratio), rtol=1e-5
        )


@pytest.mark.parametrize("num_objectives", [1, 2])
def test_the_gradient_is_of_the_expected_reward(num_objectives):
    """Told all genotypes, each as often as the policies of all preferences draw it.

    The expectation is over the policy of each preference, though no row says which
    preference drew it: that is what the weights of the mixture are for.
    """
    policy = Independent()
    controller = Reinforce(policy=policy, entropy_bonus=0.0)
    preferences = controller.table(num_objectives)
    problem = Problem(SPACE, num_objectives)
    state = controller.init(jax.random.key(0), problem)
    params = {
        "logits": np.asarray(
            jax.random.normal(jax.random.key(1), state["params"]["logits"].shape)
        )
    }
    state = state | {"params": params}
    reward = np.random.default_rng(0).normal(size=(len(EVERY), len(preferences)))
    reward = reward.astype(np.float32)
    mixture = np.exp(log_prob(controller, state, EVERY, preferences)).mean(axis=1)
    learner = {name: state[name] for name in ("params", "optimizer", "baseline")}
    learner["baseline"] = np.linspace(-1, 1, len(preferences), dtype=np.float32)
    learnt = shared._learn(
        controller,
        SPACE,
        learner,
        (
            EVERY,
            mixture.astype(np.float32),
            reward,
            preferences.astype(np.float32),
        ),
    )

    def expected(logits):
        rows = jnp.asarray(np.repeat(EVERY, len(preferences), axis=0))
        preference = np.tile(preferences, (len(EVERY), 1)).astype(np.float32)
        each = _log_prob(policy, {"logits": logits}, rows, jnp.asarray(preference))
        chance = jnp.exp(each).reshape(reward.shape)
        return (chance * reward).sum() / len(preferences)

    gradient = jax.jit(jax.grad(expected))(jnp.asarray(params["logits"]))
    first_moment = learnt["optimizer"][0].mu["logits"]
    np.testing.assert_allclose(-10 * first_moment, gradient, atol=2e-6)


def test_the_first_mean_reward_is_the_first_baseline():
    controller, state, asked = begun(Reinforce, Independent())
    assert np.isnan(state["baseline"]).all()
    state = told(controller, state, ONE, asked, [0, 1, 2, 3])
    weight = state["memory"]["count"]
    assert weight == 4
    # Quantiles 1/8, 3/8, 5/8 and 7/8; the sum adds a twentieth to the worst.
    times = controller.ask(controller.init(jax.random.key(3), ONE), ONE)[0]["times"]
    worth = -1.05 * np.array([1, 3, 5, 7]) / 8
    mean = (times[:4] * worth).sum() / times.sum()
    np.testing.assert_allclose(state["baseline"], mean, rtol=1e-5)
    state, asked = controller.ask(state, ONE)
    after = told(controller, state, ONE, asked, [9, 9, 9, 9])
    moved = (after["baseline"] - 0.7 * mean) / 0.3
    assert -1.05 < moved[0] < 0


def test_what_chance_added_and_what_others_proposed_teach_nothing():
    controller, state, _ = begun(Reinforce, Independent())
    sure = np.full_like(state["params"]["logits"], -50.0)
    sure[..., 1] = 50.0
    state, asked = controller.ask(state | {"params": {"logits": sure}}, ONE)
    np.testing.assert_array_equal(asked[0], [1, 1, 1])
    assert state["times"][0] >= 16
    assert (state["times"][1:] == 0).all()
    for rows in (asked[1:], EVERY[-2:]):
        after = told(controller, state, ONE, rows, np.zeros(len(rows)))
        np.testing.assert_array_equal(after["params"]["logits"], sure)
        assert after["memory"]["count"] == len(rows)
    once = told(controller, state, ONE, asked[:1], [0])
    assert once["optimizer"][0].count == 1
    twice = told(controller, once, ONE, asked[:1], [0])
    assert twice["optimizer"][0].count == 1


def test_what_is_known_is_drawn_again_and_teaches_but_is_not_proposed():
    controller, state, asked = begun(Reinforce, Independent())
    state = told(controller, state, ONE, asked, [0, 1, 2, 3])
    state, more = controller.ask(state, ONE)
    assert not {row.tobytes() for row in asked} & {row.tobytes() for row in more}
    again = {row.tobytes() for row in state["drawn"][4:][state["times"][4:] > 0]}
    assert again <= {row.tobytes() for row in asked}
    assert again
    left = told(controller, state, ONE, more, np.ones(4))["times"]
    assert (left == 0).all()


def test_learning_is_one_program():
    controller = Reinforce(policy=Independent(), population=3, learning_rate=0.07)
    state = controller.init(jax.random.key(0), ONE)
    before = shared._learn._cache_size()
    for num in (3, 1, 2, 3):
        state, asked = controller.ask(state, ONE)
        state = told(controller, state, ONE, asked[:num], np.arange(num))
    assert shared._learn._cache_size() == before + 1


@pytest.mark.slow
@every_kind
def test_it_finds_the_best_of_a_separable_problem_sooner_than_chance(kind):
    """Chance needs half of the space on the average, 365 evaluations."""
    space = SearchSpace("apart", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(6)))
    target = np.array([1, 0, 2, 2, 1, 0])

    def evaluate(genotypes):
        return {"nll": (genotypes != target).sum(axis=1).astype(np.float64)}

    controller = kind(policy=Independent(), learning_rate=0.1)
    search = Search(controller, ("nll",), evaluations=space.size)
    loop = SearchLoop(search, space, ("nll",), evaluate, lambda genotypes: {})
    needed = []
    for seed in range(3):
        state = loop.init(jax.random.key(seed))
        while not loop.done(state):
            state = loop.step(state)
            if loop.archive(state).column("nll").min() == 0:
                break
        needed.append(int(state["evaluations"]))
    assert np.mean(needed) < 365 / 2, needed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 0}, "population is 0"),
        ({"preferences": 0}, "preferences is 0"),
        ({"memory": 5}, "memory is 5 and population is 10"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"entropy_bonus": -1.0}, "entropy_bonus is -1"),
        ({"baseline_decay": 1.0}, "baseline_decay is 1"),
    ],
)
@every_kind
def test_impossible_settings_are_refused(kind, settings, message):
    with pytest.raises(UserError, match=f"{kind.NAME}: .*{message}"):
        kind(**settings)


def test_impossible_settings_of_ppo_are_refused():
    with pytest.raises(UserError, match="epochs is 0"):
        PPO(epochs=0)
    with pytest.raises(UserError, match="clip is 0"):
        PPO(clip=0.0)
    assert dataclasses.asdict(PPO())["clip"] == 0.2

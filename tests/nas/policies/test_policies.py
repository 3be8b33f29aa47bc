"""Every policy is a distribution over canonical genotypes, and draws from it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nas.errors import UserError
from nas.policies import Autoregressive, Policy
from nas.policies.discovery import discover_policies
from search_spaces import Decision, SearchSpace

SPACE = SearchSpace(
    "small",
    (
        Decision("depth", (1, 2, 3)),
        Decision("width_1", (8, 16)),
        Decision("width_2", (8, 16, 24), ("depth", (2, 3))),
        Decision("kernel_2", (3, 5), ("width_2", (16, 24))),
        Decision("only", ("one",)),
    ),
)
EVERY = SPACE.enumerate()
PREFERENCES = np.array([[1, 0], [0.3, 0.7], [0, 1]], np.float32)
KINDS = discover_policies()
every_policy = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@functools.cache
def far_from_uniform(kind):
    """A policy with parameters ten times as large as any that training starts from."""
    policy = kind()
    params = policy.init(jax.random.key(0), SPACE, 2)
    keys = iter(jax.random.split(jax.random.key(1), 20))
    return policy, jax.tree.map(
        lambda leaf: jax.random.normal(next(keys), leaf.shape), params
    )


@functools.cache
def evaluated(kind):
    """Log-probabilities and entropies float32[W, N, D] of all, for each preference."""
    policy, params = far_from_uniform(kind)
    rows = jnp.asarray(np.tile(EVERY, (len(PREFERENCES), 1)))
    preference = jnp.asarray(np.repeat(PREFERENCES, len(EVERY), axis=0))
    found = jax.jit(lambda p: policy.evaluate(p, SPACE, rows, preference))(params)
    return [np.asarray(x).reshape(len(PREFERENCES), *EVERY.shape) for x in found]


@every_policy
def test_probabilities_of_all_genotypes_sum_to_one(kind):
    log_prob, _ = evaluated(kind)
    np.testing.assert_allclose(np.exp(log_prob.sum(-1)).sum(-1), 1, rtol=1e-5)
    dead = ~SPACE.alive(EVERY)
    assert dead.any()
    assert (log_prob[:, dead] == 0).all()
    assert (log_prob[..., -1] == 0).all()  # one option is no choice


@every_policy
def test_entropies_of_decisions_add_up_to_the_entropy_of_genotypes(kind):
    log_prob, entropy = evaluated(kind)
    each = log_prob.sum(-1)
    whole = -(np.exp(each) * each).sum(-1)
    parts = (np.exp(each) * entropy.sum(-1)).sum(-1)
    np.testing.assert_allclose(parts, whole, rtol=1e-4)


@every_policy
def test_the_preference_decides_the_distribution(kind):
    log_prob, _ = evaluated(kind)
    chance = np.exp(log_prob.sum(-1))
    assert np.abs(chance[0] - chance[2]).sum() > 0.1


@every_policy
def test_draws_have_the_probabilities_that_are_said(kind):
    policy, params = far_from_uniform(kind)
    num = 4000
    preference = jnp.asarray(np.repeat(PREFERENCES, num, axis=0))
    sample = jax.jit(lambda p, k: policy.sample(p, SPACE, k, preference))
    drawn = np.asarray(sample(params, jax.random.key(2)))
    assert drawn.dtype == np.int32
    assert (SPACE.canonical(drawn) == drawn).all()
    place = {row.tobytes(): i for i, row in enumerate(EVERY)}
    log_prob, _ = evaluated(kind)
    for w in range(len(PREFERENCES)):
        rows = [place[row.tobytes()] for row in drawn[w * num : (w + 1) * num]]
        counts = np.bincount(rows, minlength=len(EVERY))
        expected = num * np.exp(log_prob[w].sum(-1).astype(np.float64))
        often = expected >= 5
        assert counts[~often].sum() < expected[~often].sum() + 20
        counts = np.append(counts[often], counts[~often].sum() + 1)
        expected = np.append(expected[often], expected[~often].sum() + 1)
        # Against a miscount, not against bad luck: the key is fixed.
        expected *= counts.sum() / expected.sum()
        assert stats.chisquare(counts, expected).pvalue > 1e-3


@every_policy
def test_a_new_policy_is_close_to_uniform(kind):
    policy = kind()
    params = policy.init(jax.random.key(0), SPACE, 2)
    rows = jnp.asarray(EVERY)
    preference = jnp.full((len(EVERY), 2), 0.5)
    table = jax.jit(lambda p: policy.log_probabilities(p, SPACE, rows, preference))(
        params
    )
    uniform = -np.log(np.asarray(SPACE.num_options))
    gap = np.asarray(table) - uniform[:, None]
    assert np.abs(gap[:, SPACE.valid]).max() < 0.1
    assert isinstance(policy, Policy)
    assert hash(policy) == hash(kind())


def test_the_lstm_is_an_lstm_over_the_options_taken():
    """Against a loop over decisions and gates, in numpy, for one genotype at a time."""
    policy, params = far_from_uniform(Autoregressive)
    p = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
    log_prob, _ = evaluated(Autoregressive)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    for w in (0, 1):
        for row in (3, len(EVERY) - 1):
            output = cell = np.zeros(policy.hidden)
            previous = 0
            for d, option in enumerate(EVERY[row]):
                x = p["embedding"][d, previous] + PREFERENCES[w] @ p["preference"]
                gates = np.concatenate([x, output]) @ p["kernel"] + p["bias"]
                i, f, o, g = gates.reshape(4, policy.hidden)
                cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
                output = sigmoid(o) * np.tanh(cell)
                logits = (output @ p["head"][d] + p["head_bias"][d]) / 5
                logits = 2.5 * np.tanh(logits[: SPACE.num_options[d]])
                expected = logits[option] - np.log(np.exp(logits).sum())
                expected *= SPACE.alive(EVERY)[row, d]
                assert log_prob[w, row, d] == pytest.approx(expected, abs=1e-4)
                previous = option


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": 0}, "hidden is 0"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"scale": -1.0}, "scale is -1"),
        ({"tanh_constant": -2.5}, "tanh_constant is -2.5"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Autoregressive(**settings)

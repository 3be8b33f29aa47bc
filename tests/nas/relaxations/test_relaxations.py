"""Each relaxation's draws, against the distribution that its alphas stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from nas.errors import UserError
from nas.relaxations import AlphaOptimizer, Dirichlet, GumbelSoftmax, Softmax
from search_spaces import Decision, SearchSpace

DRAWS = 8000
ALPHAS = np.array([[0.5, -1.0, 1.5, 0.2], [2.0, 0.1, -0.4, 0.0]], np.float32)
ALLOWED = np.array([[True, True, True, False], [True, False, True, True]])
RELAXATIONS = {
    "softmax": Softmax(),
    "sparsemax": Softmax("sparsemax"),
    "dirichlet": Dirichlet(),
    "gumbel": GumbelSoftmax(),
    "gumbel_soft": GumbelSoftmax(hard=False),
}
every_relaxation = pytest.mark.parametrize("name", RELAXATIONS)


def draws(relaxation, progress=0.5, alphas=ALPHAS):
    """`float32[DRAWS, D, O]`."""
    keys = jax.random.split(jax.random.key(0), DRAWS)
    allowed = jnp.asarray(ALLOWED)

    def one(key):
        return relaxation.sample(jnp.asarray(alphas), key, progress, allowed)

    return np.asarray(jax.jit(jax.vmap(one))(keys))


@every_relaxation
def test_samples_and_probabilities_lie_on_the_allowed_simplex(name):
    relaxation = RELAXATIONS[name]
    probabilities = jax.jit(relaxation.probabilities)
    mean = probabilities(jnp.asarray(ALPHAS), jnp.asarray(ALLOWED))
    for rows in (draws(relaxation)[:50], np.asarray(mean)[None]):
        assert (rows[:, ~ALLOWED] == 0).all() and (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(-1), 1, rtol=1e-5)


@every_relaxation
def test_gradients_are_finite_where_options_are_not_allowed(name):
    relaxation, allowed = RELAXATIONS[name], jnp.asarray(ALLOWED)

    def value(alphas):
        rows = relaxation.sample(alphas, jax.random.key(1), 1.0, allowed)
        return (rows**2).sum() + relaxation.entropy(alphas, allowed)

    # Near enough to each other that sparsemax keeps more than one.
    slope = np.asarray(jax.jit(jax.grad(value))(jnp.asarray(0.4 * ALPHAS)))
    assert np.isfinite(slope).all() and (slope[~ALLOWED] == 0).all()
    assert (slope[ALLOWED] != 0).any()


@every_relaxation
def test_what_is_derived_is_allowed_and_canonical(name):
    space = SearchSpace(
        "toy",
        (
            Decision("depth", (1, 2)),
            Decision("width", (8, 16, 24), requires=("depth", (2,))),
        ),
    )
    alphas = jnp.asarray([[0.0, 1.0, 0.0], [0.1, 0.2, 3.0]], jnp.float32)
    allowed = np.array([[True, True, False], [True, True, False]])
    derive = jax.jit(RELAXATIONS[name].derive, static_argnames="space")
    assert derive(alphas, jnp.asarray(allowed), space=space).tolist() == [1, 1]
    assert derive(alphas, jnp.asarray(space.valid), space=space).tolist() == [1, 2]
    # At depth 1 the width is dead.
    assert derive(-alphas, jnp.asarray(space.valid), space=space).tolist() == [0, 0]


@every_relaxation
def test_entropy_goes_from_one_to_nothing(name):
    entropy, allowed = jax.jit(RELAXATIONS[name].entropy), jnp.asarray(ALLOWED)
    flat = float(entropy(jnp.zeros((2, 4)), allowed))
    assert flat == pytest.approx(1, abs=1e-5)
    sure = jnp.asarray([[400.0, -400, -400, 0], [-400.0, 0, 400, -400]])
    assert float(entropy(sure, allowed)) < 0.05
    alone = jnp.asarray([[True, False, False, False]] * 2)
    assert float(entropy(sure, alone)) == 0


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    rows = np.random.default_rng(0).normal(0, 1, (20, 4)).astype(np.float32)
    allowed = np.ones((20, 4), bool)
    probabilities = jax.jit(Softmax("sparsemax").probabilities)
    found = probabilities(jnp.asarray(rows), jnp.asarray(allowed))
    low, high = rows.min(1) - 1, rows.max(1)
    for _ in range(60):  # where max(a - t, 0) sums to 1
        t = (low + high) / 2
        more = np.maximum(rows - t[:, None], 0).sum(1) > 1
        low, high = np.where(more, t, low), np.where(more, high, t)
    want = np.maximum(rows - t[:, None], 0)
    np.testing.assert_allclose(np.asarray(found), want, atol=1e-5)
    assert ((want == 0).any(1) & ((want > 0).sum(1) > 1)).any()


def test_sparsemax_has_the_gradient_of_its_support():
    alphas, allowed = jnp.asarray([[0.3, 0.1, -2.0, 9.0]]), jnp.asarray([[1, 1, 1, 0]])
    jacobian = jax.jit(jax.jacobian(Softmax("sparsemax").probabilities))(
        alphas, allowed.astype(bool)
    )
    want = np.zeros((4, 4))
    want[:2, :2] = [[0.5, -0.5], [-0.5, 0.5]]
    np.testing.assert_allclose(np.asarray(jacobian)[0, :, 0], want, atol=1e-6)


def test_dirichlet_draws_have_the_distributions_moments():
    relaxation, found = Dirichlet(), draws(Dirichlet())
    for d in range(2):
        own = ALLOWED[d]
        a = np.where(ALPHAS[d] > 0, ALPHAS[d] + 1, np.exp(ALPHAS[d]))[own]
        want = scipy.stats.dirichlet(a)
        error = 5 * np.sqrt(want.var() / DRAWS)
        assert (np.abs(found[:, d, own].mean(0) - want.mean()) < error).all()
        np.testing.assert_allclose(found[:, d, own].var(0), want.var(), rtol=0.08)
        mean = relaxation.probabilities(jnp.asarray(ALPHAS), jnp.asarray(ALLOWED))
        np.testing.assert_allclose(np.asarray(mean)[d, own], want.mean(), rtol=1e-5)


def test_dirichlet_gradients_have_the_expectations_gradient():
    """Pathwise: the mean gradient of w_0^2 is the gradient of its mean."""
    relaxation, allowed = Dirichlet(), jnp.asarray(ALLOWED)
    alphas = jnp.asarray(ALPHAS)

    def second_moment(alphas):
        a = relaxation.concentration(alphas, allowed)
        total = a.sum(-1)
        return (a[:, 0] * (a[:, 0] + 1) / (total * (total + 1))).sum()

    def drawn(alphas, key):
        return (relaxation.sample(alphas, key, 0.0, allowed)[:, 0] ** 2).sum()

    keys = jax.random.split(jax.random.key(2), DRAWS)
    each = np.asarray(jax.jit(jax.vmap(jax.grad(drawn), (None, 0)))(alphas, keys))
    want = np.asarray(jax.jit(jax.grad(second_moment))(alphas))
    error = each.std(0) / np.sqrt(DRAWS)
    assert (np.abs(each.mean(0) - want) <= 5 * error + 1e-7).all()
    assert (np.abs(want[ALLOWED]) > 5 * error[ALLOWED]).all()


def test_dirichlet_anchor_is_the_divergence_from_flat():
    relaxation, allowed = Dirichlet(anchor=2.0), jnp.asarray(ALLOWED)
    want = 0.0
    for d in range(2):
        a = np.asarray(relaxation.concentration(jnp.asarray(ALPHAS), allowed))[d]
        own = a[ALLOWED[d]].astype(np.float64)
        flat = scipy.stats.dirichlet(np.ones(len(own)))
        want += flat.entropy() - scipy.stats.dirichlet(own).entropy()
    regularization = jax.jit(relaxation.regularization)
    found = regularization(jnp.asarray(ALPHAS), allowed)
    assert float(found) == pytest.approx(2 * want, rel=1e-4)
    assert float(Dirichlet().regularization(jnp.asarray(ALPHAS), allowed)) == 0
    zero = regularization(jnp.zeros((2, 4)), allowed)
    assert float(zero) == pytest.approx(0, abs=1e-4)


def test_dirichlet_survives_alphas_far_below_zero():
    rows = draws(Dirichlet(), alphas=np.full((2, 4), -60, np.float32))
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_gumbel_draws_options_as_often_as_softmax_says(progress):
    found = draws(GumbelSoftmax(), progress)
    # Exactly one-hot, whatever the temperature: the subnet's value, to the last bit.
    assert set(np.unique(found)) == {0, 1}
    assert (found.sum(-1) == 1).all()
    p = np.where(ALLOWED, np.exp(ALPHAS), 0)
    p /= p.sum(1, keepdims=True)
    error = 5 * np.sqrt(p * (1 - p) / DRAWS)
    assert (np.abs(found.mean(0) - p) <= error).all()


def test_gumbel_passes_the_soft_weights_gradient():
    allowed, key = jnp.asarray(ALLOWED), jax.random.key(3)
    scores = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4)), jnp.float32)

    def value(alphas, hard):
        rows = GumbelSoftmax(hard=hard).sample(alphas, key, 0.7, allowed)
        return (rows * scores).sum()

    slope = jax.jit(jax.grad(value), static_argnums=1)
    slopes = [slope(jnp.asarray(ALPHAS), hard) for hard in (True, False)]
    np.testing.assert_array_equal(*map(np.asarray, slopes))
    assert (np.asarray(slopes[0])[ALLOWED] != 0).all()


def test_temperature_falls_linearly_as_published():
    gumbel = GumbelSoftmax()
    assert float(gumbel.temperature(0.0)) == 10
    assert float(gumbel.temperature(0.5)) == pytest.approx(5.05)
    assert float(gumbel.temperature(1.0)) == pytest.approx(0.1, rel=1e-5)


def test_alphas_move_as_published():
    """Adam with decay in the gradient: the first step is of one size either way."""
    optimizer = AlphaOptimizer().build()
    alphas = jnp.asarray([[1.0, -1.0, 0.0]])
    step, _ = optimizer.update(
        jnp.asarray([[0.0, 0.0, 0.5]]), optimizer.init(alphas), alphas
    )
    np.testing.assert_allclose(step, [[-3e-4, 3e-4, -3e-4]], rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Softmax("argmax"), "onto.*sparsemax"),
        (lambda: Dirichlet(anchor=-1.0), "anchor"),
        (lambda: GumbelSoftmax(hottest=0.05), "hottest"),
        (lambda: AlphaOptimizer(learning_rate=0.0), "learning_rate"),
        (lambda: AlphaOptimizer(beta_1=1.0), "beta_1"),
        (lambda: AlphaOptimizer(weight_decay=-1.0), "weight_decay"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()

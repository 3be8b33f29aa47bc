"""Divergences against their definitions, in double precision where it matters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.losses import AlphaDivergence, KLDivergence
from supernets import Outputs

LARGE = 1e30


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def pair(seed=0, scale=1.0):
    """Logits of a student and a teacher, float64."""
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(0, scale, (2, 40, 5))
    return jnp.asarray(student), jnp.asarray(teacher)


def softmax(logits, xp=jnp):
    return xp.exp(logits) / xp.exp(logits).sum(-1, keepdims=True)


def definition(student, teacher, alpha, xp=jnp):
    """Alpha-divergence by its formula, and its limits; NumPy or JAX."""
    q, p = softmax(student, xp), softmax(teacher, xp)
    if alpha == 1:
        return (p * xp.log(p / q)).sum(-1)
    if alpha == 0:
        return (q * xp.log(q / p)).sum(-1)
    return ((q * (p / q) ** alpha).sum(-1) - 1) / (alpha * (alpha - 1))


def gradient(function, student, teacher):
    return jax.grad(lambda s: function(s, teacher).sum())(student)


def single(alpha, clip=LARGE):
    return AlphaDivergence(alpha, alpha, clip)


ALPHAS = [-1.5, -1.0, -0.5, 0.0, 0.4, 1.0, 2.0]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("alpha", ALPHAS)
def test_value_and_gradient_are_those_of_the_definition(alpha):
    student, teacher = pair()
    found = single(alpha).places(student, teacher)
    want = definition(student, teacher, alpha)
    np.testing.assert_allclose(found.value, want, rtol=1e-9)
    grads = gradient(
        lambda s, t: single(alpha).places(s, t).surrogate, student, teacher
    )
    wanted = gradient(lambda s, t: definition(s, t, alpha), student, teacher)
    np.testing.assert_allclose(grads, wanted, rtol=1e-8, atol=1e-12)
    student, teacher = np.asarray(student), np.asarray(teacher)
    for i, step in enumerate(1e-5 * np.eye(student.shape[1])):
        after, before = (
            definition(student + sign * step, teacher, alpha, np) for sign in (1, -1)
        )
        np.testing.assert_allclose(
            grads[:, i], (after - before) / 2e-5, rtol=1e-5, atol=1e-8
        )


def test_alpha_minus_one_is_half_of_squared_q_over_p():
    # Not of p squared over q, which is alpha 2: the student's mass is what is squared.
    student, teacher = (np.asarray(logits) for logits in pair())
    q, p = softmax(student, np), softmax(teacher, np)
    want = ((q**2 / p).sum(-1) - 1) / 2
    np.testing.assert_allclose(definition(student, teacher, -1.0, np), want, rtol=1e-5)
    other = ((p**2 / q).sum(-1) - 1) / 2
    np.testing.assert_allclose(definition(student, teacher, 2.0, np), other, rtol=1e-5)


@pytest.mark.usefixtures("double")
def test_alpha_one_is_kl():
    student, teacher = pair()
    kl = KLDivergence().places(student, teacher)
    one = single(1.0, clip=5.0).places(student, teacher)
    np.testing.assert_array_equal(one.value, kl.value)
    found, want = (
        gradient(lambda s, t, d=d: d.places(s, t).surrogate, student, teacher)
        for d in (single(1.0, clip=5.0), KLDivergence())
    )
    np.testing.assert_array_equal(found, want)
    q, p = softmax(student), softmax(teacher)
    np.testing.assert_allclose(found, q - p, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("divergence", [*map(single, ALPHAS), AlphaDivergence()])
def test_it_is_zero_for_equals_and_positive_for_others(divergence):
    student, teacher = pair(scale=3.0)
    assert float(divergence.places(student, teacher).value.min()) > 1e-6
    same = divergence.places(teacher + 3.0, teacher)
    np.testing.assert_allclose(same.value, 0, atol=1e-12)
    grads = gradient(lambda s, t: divergence.places(s, t).surrogate, teacher, teacher)
    np.testing.assert_allclose(grads, 0, atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("alpha", "clip"), [(-1.0, 2.0), (-0.5, 1.5), (0.5, 1.0)])
def test_clipped_value_stays_a_divergence(alpha, clip):
    student, teacher = pair(scale=4.0)
    value = single(alpha, clip).places(student, teacher).value
    plain = definition(student, teacher, alpha)
    assert float(value.min()) > 0
    assert float(jnp.abs(value - plain).max()) > 1e-2  # it did clip


@pytest.mark.usefixtures("double")
def test_clipped_gradient_is_the_weighted_score():
    student, teacher = pair(scale=3.0)
    q, p = (np.asarray(softmax(x)) for x in (student, teacher))
    weights = np.minimum(q / p, 5.0)
    assert (q / p > 5).any() and (q / p < 5).any()
    # sum_i q_i w_i grad(log q_i), the gradient at logit j being q_i (1[i = j] - q_j).
    want = q * weights - q * (q * weights).sum(-1, keepdims=True)
    found = gradient(
        lambda s, t: single(-1.0, 5.0).places(s, t).surrogate, student, teacher
    )
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("double")
def test_each_prediction_follows_the_larger_divergence():
    teacher = np.log(np.array([[0.7, 0.27, 0.01, 0.01, 0.01]] * 40))
    # Fond of what the teacher thinks unlikely; and blind to what it thinks likely.
    fond, blind = [0.4, 0.19, 0.005, 0.005, 0.4], [1e-9, 0.5, 0.3, 0.1, 0.1 - 1e-9]
    student = jnp.asarray(np.log(np.array([fond, blind] * 20)))
    teacher = jnp.asarray(teacher)
    low, high = (definition(student, teacher, a) for a in (-1, 1))
    clipped = single(-1.0, 5.0).places(student, teacher).value
    assert clipped[0] > high[0] and low[1] < high[1]
    found = AlphaDivergence().places(student, teacher)
    np.testing.assert_allclose(found.value[:2], [clipped[0], high[1]], rtol=1e-9)

    def slope(divergence):
        return gradient(
            lambda s, t: divergence.places(s, t).surrogate, student, teacher
        )

    grads = slope(AlphaDivergence())
    np.testing.assert_array_equal(grads[0], slope(single(-1.0, 5.0))[0])
    np.testing.assert_array_equal(grads[1], slope(single(1.0, 5.0))[1])
    assert not np.allclose(found.value, found.surrogate)  # it is no value to log


SELECTED = (AlphaDivergence(), KLDivergence(2.0))
EXTREMES = jnp.asarray(
    [
        [[0.0, -500.0, 0.0], [-500.0, 0.0, 0.0]],
        [[300.0, 0.0, -300.0], [-300.0, 0.0, 300.0]],
        [[0.0, 1.0, -jnp.inf], [1.0, 0.0, -jnp.inf]],
    ],
    jnp.float32,
)


@pytest.mark.parametrize(
    "divergence",
    [*SELECTED, *(single(a, 5.0) for a in ALPHAS)],
)
def test_vanishing_probabilities_leave_numbers(divergence):
    student, teacher = EXTREMES[:, 0], EXTREMES[:, 1]
    found = divergence.places(student, teacher)
    grads = gradient(lambda s, t: divergence.places(s, t).surrogate, student, teacher)
    assert np.isfinite(found.value).all() and np.isfinite(grads).all()
    if divergence in SELECTED:  # a certain student has no slope in the others
        assert np.abs(grads).max(1).min() > 1e-3


@pytest.mark.parametrize("divergence", [KLDivergence(), AlphaDivergence()])
def test_teacher_is_a_constant_and_places_are_averaged(divergence):
    rng = np.random.default_rng(1)
    student, teacher = jnp.asarray(rng.normal(size=(2, 4, 3, 5)), jnp.float32)
    wrap = lambda logits: Outputs(logits, logits, {})  # noqa: E731
    value, surrogate = divergence(wrap(student), wrap(teacher))
    assert value.shape == surrogate.shape == (4,) and value.dtype == jnp.float32
    by_place = divergence.places(student, teacher).value
    np.testing.assert_allclose(value, by_place.mean(1), rtol=1e-6)
    back = jax.grad(lambda t: divergence(wrap(student), wrap(t)).surrogate.sum())
    np.testing.assert_array_equal(back(teacher), 0)


@pytest.mark.usefixtures("double")
def test_temperature_keeps_the_size_of_small_gradients():
    student, teacher = pair(scale=1e-3)

    def slope(t):
        divergence = KLDivergence(t)
        return gradient(
            lambda s, u: divergence.places(s, u).surrogate, student, teacher
        )

    np.testing.assert_allclose(slope(10.0), slope(1.0), atol=2e-6)
    assert float(jnp.abs(slope(1.0)).max()) > 1e-4
    q, p = (softmax(x / 4) for x in (student, teacher))
    want = 16 * (p * jnp.log(p / q)).sum(-1)
    np.testing.assert_allclose(KLDivergence(4.0).places(student, teacher).value, want)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: KLDivergence(0.0), "temperature"),
        (lambda: AlphaDivergence(1.0, -1.0), "alpha_min"),
        (lambda: AlphaDivergence(-1.0, 1.0, clip=1.5), "clip"),
    ],
)
def test_what_is_no_divergence_is_refused(make, word):
    with pytest.raises(UserError, match=word):
        make()

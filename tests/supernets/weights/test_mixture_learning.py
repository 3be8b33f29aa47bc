"""What a mixture can learn that shared weights cannot, where that is a formula.

The supernet is a linear regression on the first w of some features, for each w: a
subnet's best weights are known, and so is what sharing must cost. The formulas are our
own; the method is Jawahar et al. 2024, arXiv 2306.04845.
"""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from search_spaces import Architecture
from supernets.weights import Mixture, WeightedSupernet
from tests.supernets.weights.toy import regression

KEY = jax.random.key(0)
CORRELATION, FIRST, SECOND = 0.5, 1.0, 2.0
KIND = Mixture(2, hidden=16)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def mixed(kind, num_widths=2):
    supernet = regression(num_widths).with_precision("float64")
    return WeightedSupernet(supernet, (("linear", kind),))


def drawn(supernet):
    params = jax.jit(supernet.init)(KEY)
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)


def data():
    """Two features of variance 1 and a known correlation, and a target of both."""
    one, other = np.array([[1, 1, -1, -1], [1, -1, 1, -1]], np.float64)
    second = CORRELATION * one + np.sqrt(1 - CORRELATION**2) * other
    x = np.stack([one, second], 1)
    return x, (FIRST * one + SECOND * second)[:, None]


def losses(supernet, params, num_widths=2, x=None, y=None):
    """Give the loss of every architecture."""
    if x is None:
        x, y = data()

    def one(width):
        arch = Architecture.hard(supernet.space, width[None])
        return jnp.square(supernet.apply(params, None, arch, x).logits - y).mean()

    return jnp.stack([one(jnp.int32(w)) for w in range(num_widths)])


def trained(supernet, params, tx, steps):
    """Descend on the sum of the losses of all architectures."""

    def step(carry, _):
        params, state = carry
        gradient = jax.grad(lambda p: losses(supernet, p).sum())(params)
        updates, state = tx.update(gradient, state)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def run(params):
        (params, _), _ = jax.lax.scan(step, (params, tx.init(params)), length=steps)
        return params, losses(supernet, params)

    return run(params)


def excess(kind):
    """Give by how much each architecture ends above its own best."""
    supernet = mixed(kind)
    _, found = trained(supernet, drawn(supernet), optax.sgd(0.05), 2000)
    # Alone, one feature leaves what is not correlated of the other; two leave nothing.
    best = np.array([SECOND**2 * (1 - CORRELATION**2), 0])
    return np.asarray(found) - best


def test_two_experts_end_at_both_optima_and_shared_weights_cannot():
    # Let d be how far the shared first weight lies from the best of two features. The
    # best second weight then costs (1 - r^2) d^2, and one feature alone costs
    # (r b - d)^2: least where d = r b / (2 - r^2).
    r = CORRELATION
    gap = (r * SECOND) ** 2 * (1 - r**2) / (2 - r**2)
    plain = excess(Mixture(1))
    np.testing.assert_allclose(plain.sum(), gap, rtol=1e-6)
    for granularity in ("layer", "neuron"):
        kind = dataclasses.replace(KIND, granularity=granularity)
        assert excess(kind).max() < 1e-6 * gap, granularity


def test_a_router_that_cannot_see_the_architecture_gains_nothing():
    fixed = excess(dataclasses.replace(KIND, encoding="fixed"))
    np.testing.assert_allclose(fixed, excess(Mixture(1)), atol=1e-6)


# ------------------------------------------------------------------------- the saddle
def apart(params):
    """Measure the distance between the experts' kernels, relative to their size."""
    kernel = np.asarray(params["linear"]["experts"]["kernel"])
    return np.abs(kernel[0] - kernel[1]).max() / np.abs(kernel).max()


def steps_of_sgd(kind, flat_router, num):
    supernet = mixed(kind)
    params = drawn(supernet)
    if flat_router:
        output = params["linear"]["router"]["output"]
        params["linear"]["router"]["output"] = jax.tree.map(jnp.zeros_like, output)
    return params, trained(supernet, params, optax.sgd(0.02), num)[0]


def test_equal_experts_under_a_uniform_router_never_separate():
    kind = dataclasses.replace(KIND, jitter=0)
    before, after = steps_of_sgd(kind, flat_router=True, num=300)
    assert apart(before) == apart(after) == 0
    chex.assert_trees_all_equal(
        before["linear"]["router"]["output"], after["linear"]["router"]["output"]
    )


@pytest.mark.parametrize(
    ("jitter", "flat_router"), [(KIND.jitter, False), (KIND.jitter, True), (0, False)]
)
def test_jitter_or_a_random_router_lets_experts_separate(jitter, flat_router):
    kind = dataclasses.replace(KIND, jitter=jitter)
    before, after = steps_of_sgd(kind, flat_router, num=300)
    assert apart(after) > 1.5 * apart(before)
    assert apart(after) > 0.1


# ------------------------------------------------------------------- independent nets
def test_an_expert_for_each_architecture_is_a_network_for_each():
    num, steps, tx = 3, 20, optax.sgd(0.05)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, num)), rng.normal(size=(16, 1))
    supernet = mixed(Mixture(num, hidden=num), num)
    params = drawn(supernet)
    # The hidden layer repeats the one-hot encoding, and the last is sure of it.
    eye = jnp.eye(num)
    params["linear"]["router"]["hidden"]["kernel"] = eye
    params["linear"]["router"]["output"]["kernel"] = 1e4 * eye

    def total(params):
        return losses(supernet, params, num, x, y).sum()

    def step(_, params):
        updates, _ = tx.update(jax.grad(total)(params), tx.init(params))
        return optax.apply_updates(params, updates)

    shared = jax.jit(lambda p: jax.lax.fori_loop(0, steps, step, p))(params)
    router = [p["linear"]["router"] for p in (params, shared)]
    chex.assert_trees_all_equal(*router)
    for index in range(num):
        genotype = np.array([index], np.int32)
        alone, found = (
            jax.jit(lambda p, g=genotype: supernet.extract(p, None, g)["params"])(p)
            for p in (params, shared)
        )
        alone, found = alone["linear"], found["linear"]
        w, b = np.asarray(alone["kernel"]), np.asarray(alone["bias"])
        for _ in range(steps):
            error = 2 * (x[:, : index + 1] @ w + b - y) / len(x)
            w, b = w - 0.05 * x[:, : index + 1].T @ error, b - 0.05 * error.sum(0)
        np.testing.assert_allclose(found["kernel"], w, rtol=1e-9)
        np.testing.assert_allclose(found["bias"], b, rtol=1e-9)

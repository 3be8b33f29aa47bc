"""What superposed weights are, and are not, by formula.

Sukthanker, Krishnakumar, Sharma and Hutter, "Weight Entanglement Meets Gradient-Based
NAS", 2024, arXiv 2312.10440. All in float64.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from search_spaces import Choice
from supernets.axis import Axis
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.linear import ElasticLinear

SIZES = (1, 3, 5)
WEIGHTS = np.asarray([0.2, 0.5, 0.3])
WIDTHS = (2, 3, 5, 6)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def soft(name, weights):
    weights = jnp.asarray(weights)
    return Choice(weights, None, (name,), tuple(range(weights.size)))


def one_hot(name, k, num):
    return soft(name, np.eye(num)[k])


def relative_gap(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(b).max())


# ------------------------------------------------------------------- sums of outputs
@jax.jit
def stack(weights, x):
    """Two convolutions with sizes of their own; a ReLU between them or not."""
    results = []
    kernels = np.random.default_rng(0).normal(size=(2, 5, 5, 3, 3))
    for activation in (lambda y: y, jax.nn.relu):
        y = x
        for i, name in enumerate("ab"):
            side = Axis.centre((name,), (len(SIZES),), SIZES)
            layer = ElasticConvolution(
                3, 3, kernel_size=side, positions=1, rngs=nnx.Rngs(0)
            )
            layer.kernel.set_value(jnp.asarray(kernels[i]))
            y = layer(activation(y), {name: soft(name, weights[i])})
        results.append(y)
    return results


def superposed_and_summed(first, second):
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 3))
    total = [0, 0]
    for i, u in enumerate(first):
        for j, v in enumerate(second):
            rows = np.stack([np.eye(len(SIZES))[k] for k in (i, j)])
            total = [
                t + u * v * np.asarray(y)
                for t, y in zip(total, stack(rows, x), strict=True)
            ]
    return stack(np.stack([first, second]), x), total


def test_a_linear_stack_is_the_sum_of_the_choices_outputs():
    superposed, summed = superposed_and_summed(WEIGHTS, WEIGHTS[::-1].copy())
    assert relative_gap(superposed[0], summed[0]) < 1e-12


def test_across_a_nonlinearity_it_is_not():
    superposed, summed = superposed_and_summed(WEIGHTS, WEIGHTS[::-1].copy())
    assert relative_gap(superposed[1], summed[1]) > 0.01
    # One-hot, the two are the same: what is left is the relaxation's own bias.
    row = np.eye(len(SIZES))[1]
    superposed, summed = superposed_and_summed(row, row)
    assert relative_gap(superposed[1], summed[1]) < 1e-12


def test_one_decision_in_two_layers_is_weighed_in_each():
    # The sum over choices weighs a network once; two superposed layers, each once.
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 3))
    eye = np.eye(len(SIZES))
    each = [np.asarray(stack(np.stack([row, row]), x)[0]) for row in eye]
    summed = sum(w * y for w, y in zip(WEIGHTS, each, strict=True))
    superposed = stack(np.stack([WEIGHTS, WEIGHTS]), x)[0]
    assert relative_gap(superposed, summed) > 0.01


# ------------------------------------------------------------------------- gradients
def test_a_tap_learns_by_the_weights_of_the_sizes_that_cover_it():
    side = Axis.centre(("size",), (len(SIZES),), SIZES)
    graphdef, params = nnx.split(
        ElasticConvolution(2, 3, kernel_size=side, positions=1, rngs=nnx.Rngs(0)),
        nnx.Param,
    )
    x = np.random.default_rng(2).normal(size=(2, 7, 7, 2))
    cotangent = np.random.default_rng(3).normal(size=(2, 7, 7, 3))

    @jax.jit
    def gradient(weights):
        def loss(params):
            y = nnx.merge(graphdef, params)(x, {"size": soft("size", weights)})
            return jnp.sum(y * cotangent)

        return jax.grad(loss)(jax.tree.map(lambda p: p.astype("float64"), params))

    found = np.asarray(jax.tree.leaves(gradient(WEIGHTS))[0])
    full = np.asarray(jax.tree.leaves(gradient(np.eye(3)[2]))[0])
    ring = np.abs(np.indices((5, 5)) - 2).max(0)
    survival = np.asarray([WEIGHTS.sum(), WEIGHTS[1:].sum(), WEIGHTS[2]])[ring]
    np.testing.assert_allclose(found, survival[..., None, None] * full, rtol=1e-9)
    assert survival[2, 2] == pytest.approx(1)


# ---------------------------------------------------------------------------- search
RIDGE, RATE, STEPS = 0.1, 0.05, 4000
TEACHER = np.random.default_rng(4).uniform(1, 2, (WIDTHS[-1], 2))


def layer_loss(kernel, weights, true_width):
    """Squared error of a linear teacher over white inputs, and a ridge.

    The identity as a batch is white: each row of the error is one input's.
    """
    width = Axis.prefix(("width",), (len(WIDTHS),), WIDTHS)
    layer = ElasticLinear(width, 2, positions=1, rngs=nnx.Rngs(0))
    layer.kernel.set_value(kernel)
    layer.bias.set_value(jnp.zeros(2))
    y = layer(jnp.eye(WIDTHS[-1]), {"width": soft("width", weights)})
    teacher = jnp.where(jnp.arange(WIDTHS[-1])[:, None] < true_width, TEACHER, 0)
    return jnp.sum((y - teacher) ** 2) + RIDGE * jnp.sum(kernel**2)


def descend(loss, start):
    def step(point, _):
        gradient = jax.grad(loss)(point)
        return jax.tree.map(lambda p, g: p - RATE * g, point, gradient), None

    return jax.lax.scan(step, start, None, STEPS)[0]


START = np.full((WIDTHS[-1], 2), 0.1)


@jax.jit
def searched(true_width, penalty):
    """Give the weights of widths that gradient descent on both ends at."""

    def loss(point):
        kernel, logits = point
        weights = jax.nn.softmax(logits)
        cost = penalty * jnp.sum(weights * jnp.asarray(WIDTHS, "float64"))
        return layer_loss(kernel, weights, true_width) + cost

    return jax.nn.softmax(descend(loss, (START, jnp.zeros(len(WIDTHS))))[1])


@jax.jit
def trained_alone(true_width, weights):
    def loss(kernel):
        return layer_loss(kernel, weights, true_width)

    return loss(descend(loss, jnp.asarray(START)))


@pytest.mark.parametrize("true_width", WIDTHS)
def test_search_finds_the_width_of_a_linear_teacher(true_width):
    best = np.asarray(searched(true_width, 0.0)).argmax()
    assert WIDTHS[best] >= true_width
    weights = np.asarray(searched(true_width, 0.05))
    assert WIDTHS[weights.argmax()] == true_width
    assert weights.max() > 0.9


@pytest.mark.parametrize("true_width", WIDTHS)
def test_widths_trained_alone_reach_the_ridge_loss(true_width):
    energy = (TEACHER[:true_width] ** 2).sum(1)
    losses = []
    for k, width in enumerate(WIDTHS):
        # A row within the width keeps the ridge's share, one beyond it everything.
        kept = energy[:width].sum() * RIDGE / (1 + RIDGE)
        expected = kept + energy[width:].sum()
        losses.append(trained_alone(true_width, np.eye(len(WIDTHS))[k]))
        np.testing.assert_allclose(losses[-1], expected, rtol=1e-6)
    # So the true width is the smallest of the best, which search with a price finds.
    best = [
        w
        for w, loss in zip(WIDTHS, losses, strict=True)
        if loss < min(losses) * (1 + 1e-6)
    ]
    assert min(best) == true_width

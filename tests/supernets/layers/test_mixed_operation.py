import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from search_spaces import Choice
from supernets.axis import Axis
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.mixed_operation import AveragePool, Identity, MixedOperation, Zero
from supernets.layers.mode import CALIBRATE, Mode
from supernets.layers.norm import ElasticBatchNorm


class Convolution(nnx.Module):
    """A convolution and a batch norm, as a candidate."""

    def __init__(self, size):
        self.convolution = ElasticConvolution(
            2, 2, kernel_size=size, positions=1, rngs=nnx.Rngs(size)
        )
        self.norm = ElasticBatchNorm(2)

    def __call__(self, x, mode):
        return self.norm(self.convolution(jnp.tanh(x), {}), {}, mode)


def candidates():
    return [Zero(), Convolution(3), Identity(), AveragePool(), Convolution(1)]


def convolution(params, x):
    same = jax.lax.conv_general_dilated(
        jnp.tanh(x),
        params["convolution"]["kernel"][...],
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    mean = same.mean((0, 1, 2), keepdims=True)
    var = jnp.square(same - mean).mean((0, 1, 2), keepdims=True)
    y = (same - mean) / jnp.sqrt(var + 1e-5)
    scale, bias = (params["norm"][n][...][None, None, None] for n in ("scale", "bias"))
    return y * scale + bias


def test_mixed_operation_is_the_weighted_sum(checks):
    build, params = checks.freeze(lambda: MixedOperation(candidates()))

    def reference(params, weights, x):
        w, inside = weights["op"], params["operations"]
        pooled = nnx.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)
        total = w[1] * convolution(inside[1], x) + w[2] * x + w[3] * pooled
        return total + w[4] * convolution(inside[4], x)

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices["op"], Mode()),
            reference,
            params,
            {"op": 5},
            checks.normal((2, 3, 4, 2), 1),
        )
    )


def test_only_what_ran_collects_statistics(checks):
    build, params = checks.freeze(lambda: MixedOperation(candidates()))
    mixed = build(params)
    weights = jax.nn.one_hot(1, 5, dtype=jnp.float64)
    choice = Choice(weights, jnp.int32(1), ("op",), tuple("abcde"))
    x = checks.normal((2, 3, 4, 2), 1)
    mixed(x, choice, CALIBRATE)
    alone = build(params).operations[1]
    alone(x, CALIBRATE)
    found, expected = mixed.operations[1].norm, alone.norm
    assert checks.distance(found.mean[...], expected.mean[...]) < 1e-9
    assert checks.distance(found.var[...], expected.var[...]) < 1e-9
    assert not mixed.operations[4].norm.var[...].any()


# ------------------------------------------------------------------ entangled options
class Entangled(nnx.Module):
    """Two convolutions that are slices of one kernel, and their batch norm."""

    def __init__(self):
        member = np.asarray([[0, 0, 0], [0, 1, 0], [1, 1, 1]], bool)
        self.convolution = ElasticConvolution(
            2, 2, kernel_size=Axis(("op",), (3,), member), positions=1, rngs=nnx.Rngs(0)
        )
        self.norm = ElasticBatchNorm(2)

    def __call__(self, x, mode, within):
        return self.norm(self.convolution(jnp.tanh(x), {"op": within}), {}, mode)


def entangled():
    return MixedOperation([Identity(), Entangled()], groups=[(0,), (1, 2)])


def test_entangled_operations_are_weighed_by_their_mass_outside_the_norm(checks):
    build, params = checks.freeze(entangled)

    def reference(params, weights, x):
        w, inside = weights["op"], params["operations"][1]
        kernel = inside["convolution"]["kernel"][...]
        centre = jnp.zeros_like(kernel).at[1, 1].set(kernel[1, 1])
        mass = w[1] + w[2]
        safe = jnp.where(mass > 0, mass, 1)
        share = jnp.where(mass > 0, w[1] / safe, 1)
        mixed = share * centre + (1 - share) * kernel
        y = convolution({**inside, "convolution": {"kernel": mixed}}, x)
        return w[0] * x + mass * y

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices["op"], Mode()),
            reference,
            params,
            {"op": 3},
            checks.normal((2, 3, 4, 2), 1),
        )
    )


def slope_of_the_mass(build, params, x, cotangent, index):
    """The derivative by the logarithm of the weight that both convolutions have."""
    own = jnp.asarray([0.0, 0.0, 1.0] if index is not None else [0.2, 0.3, 0.5])

    def loss(log_mass):
        weights = own * jnp.exp(log_mass * jnp.asarray([0.0, 1, 1]))
        choice = Choice(weights, index, ("op",), (0, 1, 2))
        return jnp.sum(cotangent * build(params)(x, choice, Mode()))

    return abs(float(jax.jit(jax.grad(loss))(0.0)))


@pytest.mark.parametrize("index", [None, 2])
def test_a_mass_inside_the_norm_would_have_no_gradient(index, monkeypatch, checks):
    build, params = checks.freeze(entangled)
    x, cotangent = checks.normal((2, 3, 4, 2), 1), checks.normal((2, 3, 4, 2), 2)
    # Straight-through weights of a hard choice are as good as soft ones.
    given = build, params, x, cotangent, index and jnp.int32(index)
    outside = slope_of_the_mass(*given)
    group = Choice.group

    def mass_inside(self, groups):
        outer, inner = group(self, groups)
        masses = outer.weights
        outer = dataclasses.replace(outer, weights=masses.at[1].set(1.0))
        scaled = dataclasses.replace(inner[1], weights=inner[1].weights * masses[1])
        return outer, (inner[0], scaled)

    monkeypatch.setattr(Choice, "group", mass_inside)
    inside = slope_of_the_mass(*given)
    assert outside > 0.1
    # Only the norm's epsilon is left.
    assert inside < 1e-3 * outside


def test_the_larger_kernel_is_the_larger_option(checks):
    # Published code gives each of two sizes the other's weight.
    build, params = checks.freeze(entangled)
    x = checks.normal((1, 5, 5, 2), 1)

    def seen(option):
        """How far a pixel is seen, without the norm, which mixes all of them."""

        def centre(x):
            choice = Choice(jnp.eye(3)[option], None, ("op",), (0, 1, 2))
            layer = build(params).operations[1].convolution
            return layer(x, {"op": choice})[0, 2, 2].sum()

        return np.abs(np.asarray(jax.grad(centre)(jnp.asarray(x)))).sum((0, 3)) > 0

    assert seen(1).sum() == 1 and seen(1)[2, 2]
    assert seen(2).sum() == 9

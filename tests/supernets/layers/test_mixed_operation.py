import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
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

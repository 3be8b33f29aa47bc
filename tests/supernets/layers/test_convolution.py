import itertools

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from supernets.axis import Axis
from supernets.layers.convolution import ElasticConvolution, conv2d


def convolve(x, kernel, stride):
    """What PyTorch's `Conv2d(padding=(k - 1) // 2)` gives, by JAX's own derivatives."""
    pad = (kernel.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("size", "shape"), [(1, (5, 4)), (3, (5, 7)), (3, (4, 6)), (3, (1, 2)), (5, (5, 6))]
)
def test_conv2d_has_the_derivatives_of_a_convolution(size, shape, stride, checks):
    point = checks.normal((2, *shape, 2), 1), checks.normal((size, size, 2, 3), 2)
    direction = checks.normal(point[0].shape, 3), checks.normal(point[1].shape, 4)
    found = checks.derivatives(lambda p: conv2d(*p, stride))(point, direction)
    expected = checks.derivatives(lambda p: convolve(*p, stride))(point, direction)
    for a, b in zip(found, expected, strict=True):
        assert checks.distance(a, b) < 1e-9


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 2)])
def test_channels_are_the_sum_of_their_slices(size, stride, checks):
    sizes = {"in": (1, 3), "out": (2, 4)}
    axes = {n: Axis.prefix((n,), (len(s),), s) for n, s in sizes.items()}
    build, params = checks.freeze(
        lambda: ElasticConvolution(
            axes["in"],
            axes["out"],
            kernel_size=size,
            positions=1,
            rngs=nnx.Rngs(0),
            stride=stride,
        )
    )

    def reference(params, weights, x):
        kernel = params["kernel"][...]
        total = jnp.zeros(())
        for (i, n), (j, m) in itertools.product(
            enumerate(sizes["in"]), enumerate(sizes["out"])
        ):
            y = convolve(x[..., :n], kernel[:, :, :n, :m], stride)
            total = total + weights["in"][i] * weights["out"][j] * checks.pad(y, 4)
        return total

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            reference,
            params,
            {"in": 2, "out": 2},
            checks.normal((2, 5, 4, 3), 1),
        )
    )

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from search_spaces import Choice
from supernets.axis import Axis, active_rows
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


KERNELS = (1, 3, 5)


def crop(kernel, size):
    """The centre of a kernel."""
    edge = (kernel.shape[0] - size) // 2
    return kernel[edge : edge + size, edge : edge + size]


@pytest.mark.parametrize(("stride", "shape"), [(1, (5, 4)), (2, (5, 6))])
def test_kernel_sizes_are_the_sum_of_their_centre_crops(stride, shape, checks):
    """Each size is convolved by itself, with its own padding."""
    outputs = Axis.prefix(("out",), (2,), (1, 3))
    build, params = checks.freeze(
        lambda: ElasticConvolution(
            2,
            outputs,
            kernel_size=Axis.centre(("kernel",), (3,), KERNELS),
            positions=1,
            rngs=nnx.Rngs(0),
            stride=stride,
        )
    )

    def reference(params, weights, x):
        kernel = params["kernel"][...]
        total = jnp.zeros(())
        for (k, size), (j, m) in itertools.product(
            enumerate(KERNELS), enumerate((1, 3))
        ):
            y = convolve(x, crop(kernel, size)[..., :m], stride)
            total = total + weights["kernel"][k] * weights["out"][j] * checks.pad(y, 3)
        return total

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            reference,
            params,
            {"kernel": 3, "out": 2},
            checks.normal((2, *shape, 2), 1),
        )
    )


def test_a_tap_learns_by_the_weights_of_the_kernels_that_cover_it(checks):
    """dL/dW at a tap is its ring's weight times dL/dW of the whole kernel."""
    side = Axis.centre(("kernel",), (3,), KERNELS)
    build, params = checks.freeze(
        lambda: ElasticConvolution(
            2, 2, kernel_size=side, positions=1, rngs=nnx.Rngs(0)
        )
    )
    # Of one example in which y = x * W is the loss itself, so that dL/dW knows no W.
    x, dy = checks.normal((1, 6, 5, 2), 1), checks.normal((1, 6, 5, 2), 2)
    weights = jnp.asarray([0.5, 0.3, 0.2])
    choice = Choice(weights, None, ("kernel",), KERNELS)

    def loss(params):
        return jnp.sum(build(params)(x, {"kernel": choice}) * dy)

    found = jax.jit(jax.grad(loss))(params)["kernel"][...]
    whole = jax.jit(jax.grad(lambda k: jnp.sum(convolve(x, k, 1) * dy)))
    full = whole(params["kernel"][...])
    ring = np.abs(np.arange(5) - 2)
    ring = np.maximum(ring[:, None], ring[None])
    expected = np.asarray([1.0, 0.5, 0.2])[ring][:, :, None, None] * full
    assert checks.distance(found, expected) < 1e-9


def test_active_rows_of_a_kernel_are_its_centre():
    side = Axis.centre(("kernel",), (3,), (3, 7, 5))
    rows = [active_rows(side, {"kernel": k}).tolist() for k in range(3)]
    assert rows == [[2, 3, 4], [0, 1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5]]


@pytest.mark.parametrize("sizes", [(3, 4), (-1, 3)])
def test_sizes_without_a_centre_are_refused(sizes):
    with pytest.raises(ValueError, match="odd numbers of at least 1"):
        Axis.centre(("kernel",), (2,), sizes)

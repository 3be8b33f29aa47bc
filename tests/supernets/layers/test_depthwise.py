import itertools

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from supernets.axis import Axis
from supernets.layers.depthwise import ElasticDepthwiseConvolution, depthwise2d

KERNELS = (1, 3, 5)


def convolve(x, kernel, stride):
    """A grouped convolution with a kernel's own padding, by JAX's own derivatives."""
    pad = (kernel.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("size", "shape"), [(1, (5, 4)), (3, (5, 7)), (3, (1, 2)), (5, (4, 6))]
)
def test_shifted_images_have_the_derivatives_of_a_convolution(
    size, shape, stride, checks
):
    point = checks.normal((2, *shape, 3), 1), checks.normal((size, size, 1, 3), 2)
    direction = checks.normal(point[0].shape, 3), checks.normal(point[1].shape, 4)
    expected = checks.derivatives(lambda p: convolve(*p, stride))(point, direction)
    for shifted in (True, False):
        found = checks.derivatives(
            lambda p, s=shifted: depthwise2d(*p, stride, shifted=s)
        )(point, direction)
        for a, b in zip(found, expected, strict=True):
            assert checks.distance(a, b) < 1e-9


@pytest.mark.parametrize("chosen", [False, True])
def test_derivatives_hold_inside_of_a_scan(chosen, checks):
    """Stacked blocks are scanned, perhaps with a choice; so are second derivatives."""

    def stack(shifted):
        def layer(x, kernel):
            def run(x, kernel):
                return jnp.tanh(depthwise2d(x, kernel, shifted=shifted))

            if not chosen:
                return run(x, kernel), None
            choice = checks.one_of("operation", (0, 1), 1)
            return choice.select([lambda x, _: x, run], x, kernel), None

        return lambda p: jax.lax.scan(layer, *p)[0]

    point = checks.normal((2, 4, 3, 2), 1), checks.normal((2, 3, 3, 1, 2), 2)
    direction = checks.normal(point[0].shape, 3), checks.normal(point[1].shape, 4)
    found, expected = (
        checks.derivatives(stack(s))(point, direction) for s in (True, False)
    )
    for a, b in zip(found, expected, strict=True):
        assert checks.distance(a, b) < 1e-9


def test_the_fast_form_is_that_of_the_backend(monkeypatch):
    x, kernel = jnp.ones((1, 3, 3, 2)), jnp.ones((3, 3, 1, 2))

    def has_convolution():
        # A function of its own each time: what was traced before is kept.
        return "conv_general_dilated" in str(
            jax.make_jaxpr(lambda x, k: depthwise2d(x, k))(x, kernel)
        )

    assert not has_convolution()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert has_convolution()


@pytest.mark.parametrize("stride", [1, 2])
def test_channels_and_sizes_are_the_sum_of_their_slices(stride, checks):
    widths = (1, 3)
    build, params = checks.freeze(
        lambda: ElasticDepthwiseConvolution(
            Axis.prefix(("width",), (2,), widths),
            kernel_size=Axis.centre(("kernel",), (3,), KERNELS),
            positions=1,
            rngs=nnx.Rngs(0),
            stride=stride,
        )
    )

    def reference(params, weights, x):
        kernel = params["kernel"][...]
        total = jnp.zeros(())
        for (k, size), (j, n) in itertools.product(
            enumerate(KERNELS), enumerate(widths)
        ):
            edge = (5 - size) // 2
            crop = kernel[edge : edge + size, edge : edge + size, :, :n]
            y = convolve(x[..., :n], crop, stride)
            weight = weights["kernel"][k] * weights["width"][j]
            total = total + weight * checks.pad(y, 3)
        return total

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            reference,
            params,
            {"width": 2, "kernel": 3},
            checks.normal((2, 5, 4, 3), 1),
        )
    )

import jax
import pytest

from supernets.layers.depthwise import depthwise2d
from supernets.layers.dilation import dilated


def convolve(x, kernel, dilation):
    pad = dilation * (kernel.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        ((pad, pad), (pad, pad)),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@pytest.mark.parametrize(
    ("dilation", "size", "shape"),
    [(1, 3, (4, 3)), (2, 3, (5, 4)), (2, 5, (1, 6)), (3, 3, (7, 2))],
)
def test_it_is_the_convolution_with_gaps(dilation, size, shape, checks):
    point = checks.normal((2, *shape, 3), 1), checks.normal((size, size, 1, 3), 2)
    direction = checks.normal(point[0].shape, 3), checks.normal(point[1].shape, 4)
    found = checks.derivatives(
        lambda p: dilated(lambda x: depthwise2d(x, p[1]), p[0], dilation)
    )(point, direction)
    expected = checks.derivatives(lambda p: convolve(*p, dilation))(point, direction)
    for a, b in zip(found, expected, strict=True):
        assert checks.distance(a, b) < 1e-9


def test_channels_may_change(checks):
    """The number of channels that leave is the convolution's own."""
    x = checks.normal((2, 5, 4, 3), 1)
    kernel = checks.normal((3, 6), 2)
    y = jax.jit(lambda x: dilated(lambda x: x @ kernel, x, 2))(x)
    assert checks.distance(y, x @ kernel) < 1e-9

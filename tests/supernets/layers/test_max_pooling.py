import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from supernets.layers.max_pooling import max_pool_3x3


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 1), (6, 7)])
def test_it_is_the_largest_of_what_is_inside(shape, checks):
    x, direction = checks.normal((2, *shape, 3), 1), checks.normal((2, *shape, 3), 2)
    found = checks.derivatives(max_pool_3x3)(x - 3, direction)
    expected = checks.derivatives(
        lambda x: nnx.max_pool(x, (3, 3), strides=(1, 1), padding="SAME")
    )(x - 3, direction)
    for a, b in zip(found, expected, strict=True):
        assert checks.distance(a, b) < 1e-9


def test_equals_share_one_gradient():
    """On a flat image, each output gives one in all to the pixels that it sees."""
    x = jnp.zeros((1, 5, 6, 1))

    @jax.jit
    def pixels(x):
        return jax.jacobian(lambda x: max_pool_3x3(x)[0, ..., 0])(x)[..., 0, :, :, 0]

    jacobian = np.asarray(pixels(x))
    np.testing.assert_allclose(jacobian.sum((2, 3)), 1)
    assert (jacobian >= 0).all()
    far = np.abs(np.arange(5)[:, None] - np.arange(5)[None]) > 1
    assert not jacobian.transpose(0, 2, 1, 3)[far].any()

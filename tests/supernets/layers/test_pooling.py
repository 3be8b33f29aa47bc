import jax
import pytest
from flax import nnx

from supernets.layers.pooling import average_pool_2x2, average_pool_3x3

SHAPES = [(1, 1), (2, 3), (3, 1), (5, 4), (6, 7)]


def equal(ours, theirs, shape, checks):
    x, direction = checks.normal((2, *shape, 3), 1), checks.normal((2, *shape, 3), 2)
    found = checks.derivatives(ours)(x, direction)
    expected = checks.derivatives(theirs)(x, direction)
    return all(
        checks.distance(*pair) < 1e-9 for pair in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_pool_3x3_is_the_average_of_what_is_inside(shape, checks):
    def theirs(x):
        return nnx.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)

    assert equal(average_pool_3x3, theirs, shape, checks)


@pytest.mark.parametrize("shape", [s for s in SHAPES if min(s) > 1])
def test_pool_2x2_is_the_average_of_blocks(shape, checks):
    def theirs(x):
        # Flax divides by an integer, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            return nnx.avg_pool(x, (2, 2), strides=(2, 2), padding="VALID")

    assert equal(average_pool_2x2, theirs, shape, checks)

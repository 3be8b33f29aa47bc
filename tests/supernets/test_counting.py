import jax
import jax.numpy as jnp
import pytest

from supernets.counting import count_macs


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def test_products_count_what_they_sum():
    assert count_macs(jnp.matmul, shape(2, 3), shape(3, 5)) == 2 * 3 * 5
    batched = count_macs(jnp.matmul, shape(7, 2, 3), shape(7, 3, 5))
    assert batched == 7 * 2 * 3 * 5
    assert count_macs(lambda x: jax.nn.softmax(x * x).mean(), shape(4, 4)) == 0


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (2, 1), (4, 2)])
def test_convolutions_count_kernels_at_outputs(groups, stride):
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (stride, stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )

    found = count_macs(convolve, shape(2, 6, 8, 4), shape(3, 5, 4 // groups, 12))
    pixels = (6 // stride) * (8 // stride)
    assert found == 2 * pixels * 3 * 5 * (4 // groups) * 12


@jax.custom_vjp
def double(x):
    return (x @ x) @ x


double.defvjp(lambda x: (double(x), None), lambda _, g: (g,))


@pytest.mark.parametrize(
    ("fn", "times"),
    [
        (jax.jit(lambda x: x @ x), 1),
        (jax.checkpoint(lambda x: x @ x), 1),
        (double, 2),
        (lambda x: jax.lax.scan(lambda c, _: (c @ x, None), x, None, length=6)[0], 6),
        (lambda x: jax.lax.cond(x.sum() > 0, jnp.matmul, jnp.dot, x, x), 1),
        (lambda x: jax.lax.map(jax.jit(lambda row: x @ row), x), 1),
        (jax.value_and_grad(lambda x: (x @ x).sum()), 3),
    ],
    ids=["jit", "checkpoint", "custom_vjp", "scan", "cond", "map", "grad"],
)
def test_products_inside_programs_count(fn, times):
    assert count_macs(fn, shape(4, 4)) == times * 64


def test_what_depends_on_values_is_refused():
    def branches(x):
        return jax.lax.cond(x.sum() > 0, lambda x: x @ x, lambda x: x, x)

    def loop(x):
        return jax.lax.while_loop(lambda x: x.sum() > 0, lambda x: x @ x, x)

    with pytest.raises(ValueError, match=r"\[0, 64\].*subnet"):
        count_macs(branches, shape(4, 4))
    with pytest.raises(ValueError, match="while"):
        count_macs(loop, shape(4, 4))
    assert (
        count_macs(lambda x: jax.lax.fori_loop(0, 3, lambda _, x: x + 1, x), 1.0) == 0
    )

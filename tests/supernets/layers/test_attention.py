import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from search_spaces import Choice
from supernets.axis import Axis
from supernets.layers.attention import ElasticAttention, attend

WIDTHS, HEADS, SIZE = (2, 4), (1, 3), 2


def superposed(weights, tensor, axis):
    """Add up zero-padded slices along one axis that the width follows."""
    total = jnp.zeros_like(tensor)
    for k, n in enumerate(WIDTHS):
        kept = jax.lax.slice_in_dim(tensor, 0, n, axis=axis)
        after = [(0, 0)] * tensor.ndim
        after[axis] = (0, tensor.shape[axis] - n)
        total = total + weights["width"][k] * jnp.pad(kept, after)
    return total


def one_head(query, key, value, causal):
    """Attend in one head of one example, token by token."""
    rows = []
    for n in range(query.shape[0]):
        seen = n + 1 if causal else key.shape[0]
        scores = jnp.exp(key[:seen] @ query[n] / jnp.sqrt(SIZE))
        rows.append(scores @ value[:seen] / scores.sum())
    return jnp.stack(rows)


def attention(causal):
    return ElasticAttention(
        Axis.prefix(("width",), (2,), WIDTHS),
        Axis.prefix(("heads",), (2,), HEADS),
        head_size=SIZE,
        positions=1,
        rngs=nnx.Rngs(0),
        causal=causal,
    )


@pytest.mark.parametrize("causal", [False, True])
def test_heads_are_weighed_once_and_widths_superposed(causal, checks):
    build, params = checks.freeze(lambda: attention(causal))

    def head_output(params, weights, x, h):
        parts = []
        for name in ("query", "key", "value"):
            kernel = superposed(weights, params[name]["kernel"][...], 0)[:, h]
            parts.append(x @ kernel + params[name]["bias"][...][h][None])
        kernel = superposed(weights, params["out"]["kernel"][...], 2)[h]
        return one_head(*parts, causal) @ kernel

    def reference(params, weights, x):
        bias = superposed(weights, params["out"]["bias"][...], 0)

        def example(tokens):
            outputs = [head_output(params, weights, tokens, h) for h in range(3)]
            return bias[None] + sum(
                weights["heads"][k] * sum(outputs[:heads])
                for k, heads in enumerate(HEADS)
            )

        return jax.vmap(example)(x)

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            reference,
            params,
            {"width": 2, "heads": 2},
            checks.normal((2, 3, 4), 1),
        )
    )


@pytest.mark.parametrize("causal", [False, True])
def test_attend_is_dot_product_attention(causal, checks):
    shape = (2, 5, 3, 4)
    arrays = [jnp.asarray(checks.normal(shape, i), jnp.float32) for i in range(3)]
    ours = attend(*arrays, causal=causal)
    theirs = jax.nn.dot_product_attention(*arrays, is_causal=causal)
    assert checks.distance(ours, theirs) < 1e-5


def test_logits_and_softmax_of_half_precision_are_single(checks):
    # 257 is no bfloat16: rounded to 256, the two logits would be equal.
    query = jnp.ones((1, 2, 1, 2), jnp.bfloat16)
    key = jnp.asarray([[[[256.0, 0.0]], [[256.0, 1.0]]]], jnp.bfloat16)
    value = jnp.asarray([[[[0.0]], [[1.0]]]], jnp.bfloat16)
    y = attend(query, key, value)
    assert y.dtype == jnp.bfloat16
    expected = np.full(y.shape, 1 / (1 + np.exp(-(2**-0.5))))
    assert checks.distance(y.astype(jnp.float64), expected) < 2**-8


@pytest.mark.parametrize("hard", [False, True])
def test_later_tokens_have_no_gradient_when_causal(hard, checks):
    build, params = checks.freeze(lambda: attention(causal=True))
    x = checks.normal((1, 4, 4), 1)

    def output(x, n):
        choices = {
            name: checks.one_of(name, sizes, 1)
            if hard
            else Choice(jnp.asarray([0.3, 0.7]), None, (name,), sizes)
            for name, sizes in (("width", WIDTHS), ("heads", HEADS))
        }
        y = build(params)(x, choices)
        return jnp.sum(y[:, n] * checks.normal((1, 4), 2))

    gradients = jax.jit(jax.vmap(jax.grad(output), (None, 0)))(x, jnp.arange(4))
    moves = np.asarray(jnp.abs(gradients).max((1, 3)) > 0)
    np.testing.assert_array_equal(moves, np.tril(np.ones((4, 4), bool)))

"""AZ-NAS against its definition by hand, through loops, depths and strides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

from predictors.zero_cost.az_nas import AZNAS, entropy, trainability
from predictors.zero_cost.blocks import beside, read_blocks


def begin(x):
    return checkpoint_name(x, "block_input")


def end(x):
    return checkpoint_name(x, "block_output")


def by_hand(features):
    """The entropy of the normalised eigenvalues of the channels' covariance."""
    rows = np.asarray(features, np.float64).reshape(-1, features.shape[-1])
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    shares = values / values.sum()
    return -(shares * np.log(shares + 1e-8)).sum()


def drawn(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_three_blocks_and_the_order_that_they_make():
    params = {"a": drawn(3, 6), "b": 0.3 * drawn(6, 6, seed=1), "c": drawn(6, 4)}
    x = drawn(50, 3, seed=2)

    def network(p, x):
        x = end(x @ p["a"])
        x = end(jnp.tanh(begin(x) @ p["b"]))
        return end(begin(x) @ p["c"]).sum(1)

    found = jax.jit(lambda p, x: AZNAS(5, noise=False).score(network, p, x))(params, x)
    first = np.asarray(x @ params["a"])
    second = np.tanh(first @ np.asarray(params["b"]))
    entropies = [by_hand(f) for f in (first, second, second @ np.asarray(params["c"]))]
    # The Jacobian's spectral norm, of signs sent back through each block.
    scales = []
    for number, width in ((1, 6), (2, 4)):
        key = jax.random.fold_in(jax.random.key(5), number)
        signs = np.asarray(jax.random.rademacher(key, (50, width), jnp.float32))
        if number == 1:
            arrived = (signs * (1 - second**2)) @ np.asarray(params["b"]).T
        else:
            arrived = signs @ np.asarray(params["c"]).T
        scales.append(np.linalg.norm(arrived.T @ signs / 50, 2))
    expected = [
        sum(entropies),
        min(np.diff(entropies)),
        np.mean([2 - s - 1 / (s + 1e-6) for s in scales]),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_real_inputs_become_noise_and_tokens_stay():
    table = drawn(9, 6)

    def network(p, x):
        x = p[x] if x.dtype == jnp.int32 else x @ p[: x.shape[1]]
        return end(jnp.tanh(begin(end(x)))).sum(1)

    def score(x, noise=True):
        return AZNAS(noise=noise).score(network, table, x)

    one, other = drawn(40, 3), drawn(40, 3, seed=1)
    assert (score(one, noise=False) != score(other, noise=False)).any()
    np.testing.assert_array_equal(score(one), score(other))
    tokens = jnp.arange(40, dtype=jnp.int32) % 9
    np.testing.assert_array_equal(score(tokens), score(tokens, noise=False))


def test_the_estimate_is_the_jacobian_of_a_linear_block_for_many_places():
    weight = drawn(5, 5)
    signs = jax.random.rademacher(jax.random.key(0), (20_000, 5), jnp.float32)
    scale = np.linalg.norm(weight, 2)
    found = trainability(signs @ weight.T, signs)
    assert found == pytest.approx(2 - scale - 1 / scale, rel=0.05)
    # It is best where gradients keep their size, and a block must change something.
    assert trainability(signs[:, ::-1], signs) == pytest.approx(0, abs=0.1)
    assert trainability(signs, signs) == -jnp.inf


def test_entropy_is_log_of_the_directions_that_are_used():
    plane = jnp.asarray(np.eye(4)[np.arange(400) % 2] * 3, jnp.float32)
    assert entropy(plane) == pytest.approx(0, abs=1e-5)  # one line between two points
    rows = jnp.asarray(np.repeat([[1, 0], [-1, 0], [0, 1], [0, -1]], 9, 0), jnp.float32)
    assert entropy(rows) == pytest.approx(np.log(2), rel=1e-5)
    switched_off = jnp.concatenate([rows, jnp.zeros_like(rows)], 1)
    assert entropy(switched_off) == pytest.approx(np.log(2), rel=1e-5)
    assert entropy(jnp.ones((9, 4))) == -jnp.inf


@pytest.mark.slow
def test_blocks_beyond_the_depth_and_channels_switched_off_do_not_count():
    weights = 0.5 * drawn(4, 6, 6)
    x = drawn(4000, 6, seed=3)
    channels = jnp.asarray([1.0, 1, 1, 1, 0, 0])

    def elastic(weights, x, ends, mask):
        def layer(carry, own):
            weight, share = own
            x = begin(carry[0])
            y = end(x + jnp.tanh(x @ weight) * mask[None])
            return (y, carry[1] + share * y), None

        x = end(x * mask[None])
        ends = checkpoint_name(ends, "block_ends")
        start = (x, ends[0] * x)
        (_, total), _ = jax.lax.scan(layer, start, (weights, ends[1:]))
        return end(jnp.sin(begin(total)))

    def plain(weights, x):
        x = end(x)
        for weight in weights:
            x = begin(x)
            x = end(x + jnp.tanh(x @ weight))
        return end(jnp.sin(begin(x)))

    program = jax.jit(lambda ends: AZNAS(noise=False).score(
        lambda w, x: elastic(w, x, ends, channels), weights, x))  # fmt: skip
    found = np.stack([program(jnp.eye(5)[depth]) for depth in (4, 2)])
    # The same blocks; only the draw of signs differs, and there are many places.
    for depth, row in zip((4, 2), found, strict=True):
        alone = AZNAS(noise=False).score(plain, weights[:depth, :4, :4], x[:, :4])
        np.testing.assert_allclose(row[:2], alone[:2], rtol=1e-4)
        assert row[2] == pytest.approx(float(alone[2]), abs=0.05)
    alive = read_blocks(
        lambda x: elastic(weights, x, jnp.eye(5)[2], channels),
        jax.random.key(0), entropy, trainability, x,
    ).alive  # fmt: skip
    np.testing.assert_array_equal(alive, [True, True, True, False, False, True])


@pytest.mark.parametrize("size", [4, 5])
def test_places_over_one_another_become_channels(size):
    arrived, signs = drawn(2, size, size, 3), drawn(2, -(-size // 2), -(-size // 2), 4)
    inner, outer = beside(arrived, signs)
    padded = np.zeros((2, 6, 6, 3), np.float32)
    padded[:, :size, :size] = arrived
    for row, (b, i, j) in enumerate(np.ndindex(signs.shape[:3])):
        block = padded[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        np.testing.assert_array_equal(inner[row], block.reshape(-1))
        np.testing.assert_array_equal(outer[row], signs[b, i, j])


def test_assembling_adds_logarithms_of_ranks():
    scores = np.array([[1.0, 5, 0], [2, 5, -np.inf], [3, 1, 1]])
    found = AZNAS().assemble(scores, np.array([10, 30, 20]))
    ranks = np.array([[1, 2.5, 2, 1], [2, 2.5, 1, 3], [3, 1, 3, 2]])
    np.testing.assert_allclose(found, np.log(ranks / 3).sum(1))


def test_a_program_without_blocks_is_refused():
    x = drawn(4, 3)
    with pytest.raises(ValueError, match="marks 1 blocks"):
        AZNAS(noise=False).score(lambda p, x: end(x), None, x)
    with pytest.raises(ValueError, match="does not end"):
        AZNAS(noise=False).score(lambda p, x: end(end(x)) + begin(x), None, x)
    looped = lambda p, x: jax.lax.while_loop(lambda x: x.sum() > 1, end, end(x))  # noqa: E731
    with pytest.raises(ValueError, match="inside 'while'"):
        AZNAS(noise=False).score(looped, None, x)

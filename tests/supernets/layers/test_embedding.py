import jax.numpy as jnp
import numpy as np
from flax import nnx

from supernets.axis import Axis
from supernets.layers.embedding import ElasticEmbedding

SIZES, V, T = (1, 3), 5, 4
TOKENS = np.asarray([[0, 3, 3], [4, 1, 2]], np.int32)


def make(checks, tied=True):
    return checks.freeze(
        lambda: ElasticEmbedding(
            V,
            Axis.prefix(("width",), (2,), SIZES),
            positions=T,
            tied=tied,
            rngs=nnx.Rngs(0),
        )
    )


def test_reading_is_the_sum_of_padded_slices(checks):
    build, params = make(checks)

    def reference(params, weights, gain):
        total = jnp.zeros(())
        for k, n in enumerate(SIZES):
            table = params["table"][...][:, :n]
            place = params["position"][...][:3, :n]
            rows = jnp.stack([jnp.stack([table[t] for t in row]) for row in TOKENS])
            total = total + weights["width"][k] * checks.pad(rows + place[None], 3)
        return gain * total

    checks.hold(
        checks.Case(
            lambda params, choices, gain: gain * build(params)(TOKENS, choices),
            reference,
            params,
            {"width": 2},
            # Tokens have no gradient; what is differentiated in their place is a gain.
            checks.normal((2, 3, 3), 1),
        )
    )


def test_a_tied_head_scores_by_the_sum_of_padded_slices(checks):
    build, params = make(checks)

    def reference(params, weights, x):
        # The position takes no part.
        total = jnp.zeros(()) * params["position"][...].sum()
        for k, n in enumerate(SIZES):
            table = params["table"][...][:, :n]
            total = total + weights["width"][k] * jnp.einsum(
                "btn,vn->btv", x[..., :n], table
            )
        return total

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params).score(x, choices),
            reference,
            params,
            {"width": 2},
            checks.normal((2, 4, 3), 1),
        )
    )


def test_a_table_used_twice_has_the_gradients_of_both_uses(checks):
    build, params = make(checks)

    def reference(params, weights, gain):
        table = sum(
            weights["width"][k] * checks.pad(params["table"][...][:, :n], 3)
            for k, n in enumerate(SIZES)
        )
        place = sum(
            weights["width"][k] * checks.pad(params["position"][...][:3, :n], 3)
            for k, n in enumerate(SIZES)
        )
        rows = jnp.stack([jnp.stack([table[t] for t in row]) for row in TOKENS])
        return jnp.einsum("btn,vn->btv", jnp.tanh(gain * (rows + place[None])), table)

    def run(params, choices, gain):
        layer = build(params)
        return layer.score(jnp.tanh(gain * layer(TOKENS, choices)), choices)

    checks.hold(
        checks.Case(run, reference, params, {"width": 2}, checks.normal((2, 3, 3), 1))
    )


def test_logits_of_half_precision_are_single(checks):
    build, params = make(checks)
    layer = build(params)
    layer.table[...] = jnp.ones((V, 3), jnp.bfloat16)
    # 257 is no bfloat16.
    x = jnp.asarray([[[256.0, 1.0, 0.0]]], jnp.bfloat16)
    one = {"width": checks.one_of("width", SIZES, 1)}
    logits = layer.score(x, one)
    assert logits.dtype == jnp.float32
    np.testing.assert_array_equal(logits, np.full((1, 1, V), 257.0))


def test_a_token_that_there_is_not_gives_no_number(checks):
    build, params = make(checks)
    one = {"width": checks.one_of("width", SIZES, 0)}
    rows = build(params)(np.asarray([[V, 0]], np.int32), one)
    assert np.isnan(rows[0, 0]).any() and not np.isnan(rows[0, 1]).any()


def test_only_scoring_has_macs(checks):
    for tied, positions in ((True, T), (False, 0)):
        build, params = make(checks, tied)
        assert build(params).table.get_metadata()["spec"].positions == positions
        assert build(params).position.get_metadata()["spec"].positions == 0

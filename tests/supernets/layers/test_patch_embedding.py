import jax.numpy as jnp
from flax import nnx

from supernets.axis import Axis
from supernets.layers.patch_embedding import PatchEmbedding

SIZES = (1, 3)


def test_each_patch_is_mapped_and_placed(checks):
    build, params = checks.freeze(
        lambda: PatchEmbedding(
            (4, 6, 2),
            Axis.prefix(("width",), (2,), SIZES),
            patch_size=2,
            rngs=nnx.Rngs(0),
        )
    )

    def token(params, x, i, j, n):
        patch = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        total = jnp.einsum("buvc,uvcn->bn", patch, params["kernel"][...][..., :n])
        place = params["position"][...][3 * i + j, :n]
        return total + (params["bias"][...][:n] + place)[None]

    def reference(params, weights, x):
        total = jnp.zeros(())
        places = [(i, j) for i in range(2) for j in range(3)]
        for k, n in enumerate(SIZES):
            tokens = jnp.stack([token(params, x, i, j, n) for i, j in places], 1)
            total = total + weights["width"][k] * checks.pad(tokens, 3)
        return total

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            reference,
            params,
            {"width": 2},
            checks.normal((2, 4, 6, 2), 1),
        )
    )

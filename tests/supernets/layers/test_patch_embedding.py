import jax.numpy as jnp
import pytest
from flax import nnx

from supernets.axis import Axis
from supernets.layers.patch_embedding import PatchEmbedding

SIZES = (1, 3)


@pytest.mark.parametrize("patch", [1, 2])
def test_each_patch_is_mapped_and_placed(patch, checks):
    build, params = checks.freeze(
        lambda: PatchEmbedding(
            (2, 4, 2),
            Axis.prefix(("width",), (2,), SIZES),
            patch_size=patch,
            rngs=nnx.Rngs(0),
        )
    )

    def token(params, x, i, j, n):
        total = params["bias"][...][None, :n]
        for u in range(patch):
            for v in range(patch):
                pixel = x[:, i * patch + u, j * patch + v]
                total = total + pixel @ params["kernel"][...][u, v, :, :n]
        return total + params["position"][...][None, i * (4 // patch) + j, :n]

    def reference(params, weights, x):
        total = jnp.zeros(())
        places = [(i, j) for i in range(2 // patch) for j in range(4 // patch)]
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
            checks.normal((2, 2, 4, 2), 1),
        )
    )

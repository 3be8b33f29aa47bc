import jax.numpy as jnp
from flax import nnx

from supernets.axis import Axis
from supernets.layers.squeeze_excitation import SqueezeExcitation

# Channels follow a width and a ratio, and hidden values follow them.
CHANNELS = [2, 4, 3, 6]
HIDDEN = [1, 2, 1, 3]


def test_maps_and_biases_are_the_sums_of_their_slices(checks):
    names, counts = ("width", "ratio"), (2, 2)
    build, params = checks.freeze(
        lambda: SqueezeExcitation(
            Axis.prefix(names, counts, CHANNELS),
            Axis.prefix(names, counts, HIDDEN),
            rngs=nnx.Rngs(0),
        )
    )

    def slices(array, weights, *sizes):
        total = jnp.zeros_like(array)
        for k in range(4):
            index = tuple(slice(sizes[a][k]) for a in range(array.ndim))
            weight = weights["width"][k // 2] * weights["ratio"][k % 2]
            total = total.at[index].add(weight * array[index])
        return total

    def reference(params, weights, x):
        squeeze, excite = params["squeeze"], params["excite"]
        down = slices(squeeze["kernel"][...], weights, CHANNELS, HIDDEN)
        up = slices(excite["kernel"][...], weights, HIDDEN, CHANNELS)
        first = slices(squeeze["bias"][...], weights, HIDDEN)
        second = slices(excite["bias"][...], weights, CHANNELS)
        mean = x.sum((1, 2)) / (x.shape[1] * x.shape[2])
        hidden = jnp.maximum(jnp.einsum("bc,ch->bh", mean, down) + first[None], 0)
        gate = jnp.einsum("bh,hc->bc", hidden, up) + second[None]
        gate = jnp.clip(gate / 6 + 0.5, 0, 1)
        return jnp.einsum("bijc,bc->bijc", x, gate)

    def run(params, choices, x):
        return build(params)(x, choices)

    x = checks.normal((3, 2, 4, 6), 1)
    checks.hold(checks.Case(run, reference, params, {"width": 2, "ratio": 2}, x))

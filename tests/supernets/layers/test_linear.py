import itertools

import jax.numpy as jnp
import pytest
from flax import nnx

from supernets.axis import Axis
from supernets.layers.linear import ElasticLinear

EMBED = Axis.prefix(("embed",), (2,), (2, 4))
OUT = Axis.prefix(("out",), (3,), (1, 2, 5))
RATIO = (0.5, 1.5, 2.0)
SIZES = [round(e * r) for e in (2, 4) for r in RATIO]
HIDDEN = Axis.prefix(("embed", "ratio"), (2, 3), SIZES)
REORDERED = Axis.prefix(
    ("ratio", "embed"), (3, 2), [round(e * r) for r in RATIO for e in (2, 4)]
)

# For each layer: its sides, how many options its decisions have, and the size of each
# side for each combination of options.
LAYERS = {
    "fixed": (3, 5, {}, {(): (3, 5)}),
    "tied": (EMBED, EMBED, {"embed": 2}, {(0,): (2, 2), (1,): (4, 4)}),
    "independent": (
        EMBED,
        OUT,
        {"embed": 2, "out": 3},
        {
            (i, j): ((2, 4)[i], (1, 2, 5)[j])
            for i, j in itertools.product(range(2), range(3))
        },
    ),
    "input": (EMBED, 3, {"embed": 2}, {(0,): (2, 3), (1,): (4, 3)}),
    "up": (
        EMBED,
        HIDDEN,
        {"embed": 2, "ratio": 3},
        {
            (i, j): ((2, 4)[i], SIZES[3 * i + j])
            for i, j in itertools.product(range(2), range(3))
        },
    ),
    "down": (
        REORDERED,
        EMBED,
        {"embed": 2, "ratio": 3},
        {
            (i, j): (SIZES[3 * i + j], (2, 4)[i])
            for i, j in itertools.product(range(2), range(3))
        },
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_linear_is_the_sum_of_its_slices(name, checks):
    inputs, outputs, num_options, sizes = LAYERS[name]
    build, params = checks.freeze(
        lambda: ElasticLinear(inputs, outputs, positions=1, rngs=nnx.Rngs(0))
    )

    def reference(params, weights, x):
        kernel, bias = params["kernel"][...], params["bias"][...]
        total = jnp.zeros((*x.shape[:-1], kernel.shape[1]))
        for picks, (rows, columns) in sizes.items():
            weight = 1.0
            for row, pick in zip(weights.values(), picks, strict=True):
                weight = weight * row[pick]
            y = jnp.einsum("abi,io->abo", x[..., :rows], kernel[:rows, :columns])
            y = y + bias[None, None, :columns]
            total = total + weight * checks.pad(y, kernel.shape[1])
        return total

    width = params["kernel"][...].shape[0]
    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            reference,
            params,
            num_options,
            checks.normal((2, 3, width), 1),
        )
    )

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from search_spaces import Choice
from supernets.layers.depth import scan_to_depth
from supernets.layers.linear import ElasticLinear
from supernets.layers.mode import Mode
from supernets.layers.stacking import stacked

DEPTHS = (1, 3, 4)


def setup(checks, before=0):
    build, params = checks.freeze(
        lambda: stacked(
            lambda rngs: ElasticLinear(2, 2, positions=1, rngs=rngs),
            nnx.Rngs(0),
            max(DEPTHS) - before,
        )
    )

    def run(params, choices, x):
        depth = dataclasses.replace(choices["depth"], options=DEPTHS)
        gains = jnp.arange(1.0, 5.0)[: max(DEPTHS) - before]
        return scan_to_depth(
            build(params),
            lambda layer, x, gain: jnp.tanh(gain * layer(x, {})),
            x,
            depth,
            Mode(),
            gains,
            before,
        )

    return run, params


# With a layer before the stack, a depth of 1 ends before the stack begins.
@pytest.mark.parametrize("before", [0, 1])
def test_depth_weighs_the_outputs_of_blocks(before, checks):
    run, params = setup(checks, before)

    def reference(params, weights, x):
        total = jnp.zeros_like(x)
        for k, depth in enumerate(DEPTHS):
            y = x
            for i in range(depth - before):
                kernel, bias = params["kernel"][...][i], params["bias"][...][i]
                y = jnp.tanh((i + 1.0) * (y @ kernel + bias[None]))
            total = total + weights["depth"][k] * y
        return total

    x = checks.normal((3, 2), 1)
    checks.hold(checks.Case(run, reference, params, {"depth": 3}, x))


def test_blocks_beyond_the_depth_get_exactly_no_gradient(checks):
    run, params = setup(checks)
    choice = Choice(jnp.asarray([0.0, 1.0, 0.0]), jnp.int32(1), ("depth",), DEPTHS)

    def loss(params):
        return run(params, {"depth": choice}, checks.normal((3, 2), 1)).sum()

    gradient = jax.grad(loss)(params)["kernel"][...]
    assert not gradient[3].any()
    assert gradient[:3].any((1, 2)).all()


def test_a_depth_that_ends_before_what_came_before_is_refused(checks):
    run, params = setup(checks, before=2)
    choice = Choice(jnp.asarray([0.0, 1.0, 0.0]), None, ("depth",), DEPTHS)
    with pytest.raises(ValueError, match=r"depths \(1, 3, 4\), .* 2 layers"):
        run(params, {"depth": choice}, checks.normal((3, 2), 1))

import jax.numpy as jnp
import numpy as np
import pytest

from supernets.axis import Axis
from supernets.layers.mode import CALIBRATE, Mode
from supernets.layers.norm import ElasticBatchNorm, ElasticLayerNorm, ElasticRMSNorm

SIZES = (2, 3, 5)
WIDTH = Axis.prefix(("width",), (3,), SIZES)


def normalise(x, axes, epsilon):
    mean = x.mean(axes, keepdims=True)
    var = jnp.square(x - mean).mean(axes, keepdims=True)
    return (x - mean) / jnp.sqrt(var + epsilon)


def mixture(checks, weights, x, params, axes, epsilon):
    """Normalise, scale and shift each slice alone, and add them up."""
    total = jnp.zeros_like(x)
    one = (1,) * (x.ndim - 1)
    for k, n in enumerate(SIZES):
        y = normalise(x[..., :n], axes, epsilon)
        if params:
            y = y * params["scale"][...][:n].reshape(*one, n)
            y = y + params["bias"][...][:n].reshape(*one, n)
        total = total + weights["width"][k] * checks.pad(y, x.shape[-1])
    return total


def test_layer_norm_is_the_mixture_over_widths(checks):
    build, params = checks.freeze(lambda: ElasticLayerNorm(WIDTH, epsilon=1e-3))
    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            lambda params, weights, x: mixture(checks, weights, x, params, -1, 1e-3),
            params,
            {"width": 3},
            # Far from zero: a variance from squares alone would lose digits.
            100 + checks.normal((2, 2, 5), 1),
        )
    )


def test_rms_norm_is_the_mixture_over_widths(checks):
    build, params = checks.freeze(lambda: ElasticRMSNorm(WIDTH, epsilon=1e-3))

    def reference(params, weights, x):
        total = jnp.zeros_like(x)
        for k, n in enumerate(SIZES):
            part = x[..., :n]
            power = jnp.square(part).mean(-1, keepdims=True)
            y = part / jnp.sqrt(power + 1e-3) * params["scale"][...][None, None, :n]
            total = total + weights["width"][k] * checks.pad(y, 5)
        return total

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices),
            reference,
            params,
            {"width": 3},
            checks.normal((2, 2, 5), 1),
        )
    )


def test_layer_norm_of_one_width_normalises_all(checks):
    build, params = checks.freeze(lambda: ElasticLayerNorm(5))
    x = checks.normal((3, 5), 1)
    y = normalise(x, -1, 1e-6) * params["scale"][...][None] + params["bias"][...][None]
    assert checks.distance(build(params)(x, {}), y) < 1e-9


def test_rms_norm_of_one_width_does_not_centre(checks):
    build, params = checks.freeze(lambda: ElasticRMSNorm(5))
    x = 3 + checks.normal((3, 5), 1)
    y = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-6)
    y = y * params["scale"][...][None]
    assert checks.distance(build(params)(x, {}), y) < 1e-9


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_scales_what_each_width_has(affine, checks):
    build, params = checks.freeze(
        lambda: ElasticBatchNorm(WIDTH, affine=affine, epsilon=1e-3)
    )

    def reference(params, weights, x):
        if affine:
            return mixture(checks, weights, x, params, (0, 1, 2), 1e-3)
        # Without a scale there is nothing to mask: channels are alone anyway.
        return normalise(x, (0, 1, 2), 1e-3)

    checks.hold(
        checks.Case(
            lambda params, choices, x: build(params)(x, choices, Mode()),
            reference,
            params,
            {"width": 3} if affine else {},
            3 + checks.normal((2, 3, 2, 5), 1),
        )
    )


def test_collected_statistics_are_those_of_the_batch_and_are_used(checks):
    build, params = checks.freeze(lambda: ElasticBatchNorm(5))
    norm = build(params)
    x, other = 3 + checks.normal((2, 3, 2, 5), 1), checks.normal((2, 3, 2, 5), 2)
    y = norm(x, {}, CALIBRATE)
    mean = x.mean((0, 1, 2))
    assert checks.distance(norm.mean[...], mean) < 1e-9
    var = jnp.square(x - mean[None, None, None]).mean((0, 1, 2))
    assert checks.distance(norm.var[...], var) < 1e-9
    given = Mode(given=True)
    assert checks.distance(norm(x, {}, given), y) < 1e-9
    assert checks.distance(norm(other, {}, given), norm(other, {}, Mode())) > 0.1

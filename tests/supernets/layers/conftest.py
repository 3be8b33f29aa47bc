"""What every layer must satisfy, given a brute-force reference of its soft form.

A case holds a layer as a function of (parameters, choices, input), and a reference as a
function of (parameters, weights, input) that sums over options with explicit slices.
Weights come from logits: what is equal on the simplex only is equal enough.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from search_spaces import Choice

TOLERANCE = 1e-9


class Case(NamedTuple):
    """One layer to be held against its reference."""

    run: Callable[[Any, dict[str, Choice], jax.Array], jax.Array]
    reference: Callable[[Any, dict[str, jax.Array], jax.Array], jax.Array]
    params: Any
    num_options: dict[str, int]
    x: jax.Array


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# What runs outside of `jit` is numpy: JAX would compile a program for each operation.
def normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def normal_like(tree: Any, seed: int) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    random = [normal(leaf.shape, seed + i) for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, random)


def freeze(make: Callable[[], nnx.Module]) -> tuple[Callable[[Any], Any], Any]:
    """Give `params -> layer`, and random parameters in float64."""
    graphdef, params, rest = nnx.split(nnx.eval_shape(make), nnx.Param, ...)
    blank = jax.tree.map(lambda leaf: np.zeros(leaf.shape), rest)
    return lambda values: nnx.merge(graphdef, values, blank), normal_like(params, 7)


def pad(x: jax.Array, width: int) -> jax.Array:
    """Extend the last axis with zeros."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, width - x.shape[-1])])


def distance(tree: Any, reference: Any) -> float:
    """Give the greatest `max|a-b| / max|b|` over leaves; tiny leaves count as 1e-3."""

    def leaf(a: jax.Array, b: jax.Array) -> float:
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        a, b = np.asarray(a), np.asarray(b)
        return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3))

    return max(jax.tree.leaves(jax.tree.map(leaf, tree, reference)), default=0.0)


def derivatives(
    fn: Callable[[Any], jax.Array],
) -> Callable[[Any, Any], tuple[jax.Array, Any, Any]]:
    """Make `(point, direction) -> (value, gradient, second derivative along it)`.

    The gradient is of a fixed random combination of the outputs.
    """

    def loss(point: Any) -> jax.Array:
        y = fn(point)
        return jnp.sum(y * normal(y.shape, 99))

    def everything(point: Any, direction: Any) -> tuple[jax.Array, Any, Any]:
        def along(point: Any) -> tuple[jax.Array, Any]:
            gradient = jax.grad(loss)(point)
            products = jax.tree.map(lambda a, b: jnp.sum(a * b), gradient, direction)
            return sum(jax.tree.leaves(products)), gradient

        second, gradient = jax.grad(along, has_aux=True)(point)
        return fn(point), gradient, second

    return jax.jit(everything)


def equal_to_reference(case: Case) -> None:
    """Values, gradients and second derivatives at a soft architecture."""

    def with_weights(point: Any) -> tuple[Any, dict[str, jax.Array], jax.Array]:
        params, logits, x = point
        return params, {n: jax.nn.softmax(row) for n, row in logits.items()}, x

    def layer(point: Any) -> jax.Array:
        params, weights, x = with_weights(point)
        choices = {
            n: Choice(w, None, (n,), tuple(range(w.size))) for n, w in weights.items()
        }
        return case.run(params, choices, x)

    logits = {
        name: normal((num,), 40 + i)
        for i, (name, num) in enumerate(case.num_options.items())
    }
    point = (case.params, logits, case.x)
    direction = normal_like(point, 60)
    ours = derivatives(layer)
    found = ours(point, direction)
    expected = derivatives(lambda p: case.reference(*with_weights(p)))(point, direction)
    for name, a, b in zip(
        ("value", "gradient", "second"), found, expected, strict=True
    ):
        assert distance(a, b) < TOLERANCE, name

    step = 1e-5
    sides = [
        ours(jax.tree.map(lambda p, d, s=s: p + s * d, point, direction), direction)[1]
        for s in (step, -step)
    ]
    slope = jax.tree.map(
        lambda a, b: (np.asarray(a) - np.asarray(b)) / (2 * step), *sides
    )
    assert distance(found[2], slope) < 1e-5


def hard_equal_to_soft(case: Case) -> None:
    """Values and gradients at every combination of options, against one-hot rows."""

    def run(point: Any, indices: dict[str, jax.Array] | None) -> jax.Array:
        params, weights, x = point
        choices = {
            n: Choice(w, indices and indices[n], (n,), tuple(range(w.size)))
            for n, w in weights.items()
        }
        return case.run(params, choices, x)

    def both(point: Any, indices: Any) -> Any:
        def loss(point: Any, indices: Any) -> tuple[jax.Array, jax.Array]:
            y = run(point, indices)
            return jnp.sum(y * normal(y.shape, 99)), y

        return [
            jax.value_and_grad(loss, has_aux=True)(point, i) for i in (indices, None)
        ]

    compiled, reference = jax.jit(both), jax.jit(case.reference)
    for picks in itertools.product(*map(range, case.num_options.values())):
        indices = {n: np.int32(i) for n, i in zip(case.num_options, picks, strict=True)}
        weights = {n: np.eye(case.num_options[n])[i] for n, i in indices.items()}
        point = (case.params, weights, case.x)
        ((_, y), hard), ((_, soft_y), soft) = compiled(point, indices)
        assert distance(y, soft_y) < TOLERANCE, picks
        assert distance(y, reference(*point)) < TOLERANCE, picks
        assert distance((hard[0], hard[2]), (soft[0], soft[2])) < TOLERANCE, picks
        # Of the weights, hard differentiates the chosen entry only.
        chosen = {n: np.asarray(soft[1][n]) * weights[n] for n in weights}
        assert distance(hard[1], chosen) < TOLERANCE, picks


class Checks:
    """The functions of this file, for tests."""

    Case = Case
    distance = staticmethod(distance)
    derivatives = staticmethod(derivatives)
    freeze = staticmethod(freeze)
    normal = staticmethod(normal)
    pad = staticmethod(pad)

    @staticmethod
    def one_of(name: str, options: Sequence[Any], index: int) -> Choice:
        """Take one option, hard."""
        weights = jnp.eye(len(options), dtype=jnp.float32)[index]
        return Choice(weights, jnp.asarray(index), (name,), tuple(options))

    @staticmethod
    def hold(case: Case) -> None:
        """Hold a layer against its reference in every way."""
        equal_to_reference(case)
        hard_equal_to_soft(case)


@pytest.fixture
def checks() -> type[Checks]:
    return Checks

"""Contexts to draw in, without a network."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from nas.strategies import Context
from search_spaces import Decision, SearchSpace
from search_spaces.nasbench201 import nasbench201

CELLS = nasbench201()
UNEVEN = SearchSpace(
    "uneven",
    (
        Decision("depth", (1, 2, 3)),
        Decision("operation", ("a", "b", "c", "d", "e")),
        Decision("width_2", (8, 16), requires=("depth", (2, 3))),
        Decision("width_3", (8, 16, 24, 32), requires=("depth", (3,))),
    ),
)


def order_of(space, seed=0):
    """Ranks by cost, not in the order of the options but for depths, `int32[D, O]`."""
    rng = np.random.default_rng(seed)
    order = np.full(space.valid.shape, -1, np.int32)
    for name, row, n in zip(space.names, order, space.num_options, strict=True):
        row[:n] = np.arange(n) if name == "depth" else rng.permutation(n)
    return order


def context_of(space, progress=0.0, order=None):
    order = order_of(space) if order is None else order
    return Context(space, None, None, order, progress)


def draws(sampler, space, num, allowed=None, progress=0.0, seed=0):
    """Draw many times: genotypes `[num, K, D]`, and the rest of `Draw`, NumPy."""
    allowed = jnp.asarray(space.valid if allowed is None else allowed)
    keys = jax.random.split(jax.random.key(seed), num)
    drawn = _many(sampler, space)(keys, allowed, jnp.float32(progress))
    return jax.tree.map(np.asarray, drawn)


@functools.cache
def _many(sampler, space):
    def one(key, allowed, progress):
        state = sampler.init(key, space)
        return sampler.sample(state, context_of(space, progress), key, allowed)

    return jax.jit(jax.vmap(one, (0, None, None)))


def without(space, **options):
    """A table of allowed options without some indices, closed under the conditions."""
    allowed = space.valid.copy()
    for name, gone in options.items():
        allowed[space.names.index(name), list(gone)] = False
    return space.restrict(allowed)


def likely(counts):
    """Whether counts may be of equally likely things."""
    return stats.chisquare(counts).pvalue > 1e-3

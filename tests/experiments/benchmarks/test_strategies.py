"""The replayed sampler trains what it is given, and draws and learns all the same."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.strategies import Replay
from nas.samplers import Draw, Sampler, Sandwich
from search_spaces.nasbench201 import nasbench201


class Counting(Sampler):
    """Draws the first option of everything, and counts what it is told."""

    NEEDS = frozenset({"option_sqnorm"})

    def init(self, key, space):
        return jnp.int32(10)

    def sample(self, state, context, key, allowed):
        genotype = jnp.zeros((1, len(allowed)), jnp.int32)
        return Draw(genotype, state[None].astype(jnp.float32), jnp.ones(1))

    def update(self, state, feedback):
        return state + feedback


def test_given_architectures_are_trained_while_the_sampler_goes_on():
    space = nasbench201()
    allowed = jnp.asarray(space.valid)
    order = np.repeat([[1], [3], [2]], 6, axis=1)
    steps = tuple((tuple(map(int, genotype)),) for genotype in order)
    sampler = Replay(Counting(), steps)
    state = sampler.init(jax.random.key(1), space)
    for step in range(5):
        draw = sampler.sample(state, None, jax.random.key(step), allowed)
        np.testing.assert_array_equal(draw.genotypes, order[[step % 3]])
        assert draw.log_probability == 10 + 2 * step
        state = sampler.update(state, 2)
    own = state | {"replay": jnp.bool_(False)}
    draw = sampler.sample(own, None, jax.random.key(9), allowed)
    np.testing.assert_array_equal(draw.genotypes, np.zeros((1, 6)))


def test_it_is_to_the_strategy_what_the_sampler_is():
    assert Replay(Counting(), ()).needs == {"option_sqnorm"}
    assert Replay(Sandwich(), ()).leads and not Replay(Counting(), ()).leads

"""The sampler of benchmarks gives architectures in order, whatever the key."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.workloads import InOrder, RandomImages
from search_spaces.nasbench201 import nasbench201


def test_architectures_come_in_order_over_and_over():
    space = nasbench201()
    order = np.asarray(space.sample(jax.random.key(0), 3))
    sampler = InOrder(tuple(map(tuple, order.tolist())))
    state = sampler.init(jax.random.key(1), space)
    seen = []
    for step in range(7):
        draw = sampler.sample(
            state, None, jax.random.key(step), jnp.asarray(space.valid)
        )
        seen.append(np.asarray(draw.genotypes[0]))
        state = sampler.update(state, None)
    np.testing.assert_array_equal(seen, order[np.arange(7) % 3])


def test_random_images_have_every_class_and_are_the_same_each_time():
    source = RandomImages(num=40, side=8, num_classes=5)
    first, second = source.load(), source.load()
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(np.bincount(first.labels), [8] * 5)
    assert first.input_shape == (8, 8, 3)

"""Leak control: with rewards that tell nothing, nobody is luckier than chance.

If the values of architectures are independent, the best of n that a controller
evaluated is the least of n uniform values, whatever it chose by what it saw. One that
does better has seen what it should not.
"""

import jax
import numpy as np
import pytest
from scipy import stats

from nas.search import Search, SearchLoop, discover
from nas.search.gradient import GradientController
from search_spaces import Decision, SearchSpace

SPACE = SearchSpace("plain", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(7)))
EVALUATIONS = 100
SEEDS = 20
# The others are led by gradients, not by what they are told.
TOLD = [
    name
    for name, kind in discover().items()
    if not issubclass(kind, GradientController)
]


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLD)
def test_shuffled_rewards_lead_nowhere(name):
    controller = discover()[name]()
    luck = []
    for seed in range(SEEDS):
        values = np.random.default_rng(seed).permutation(SPACE.size) / SPACE.size

        def evaluate(genotypes, values=values):
            found = values[np.ravel_multi_index(genotypes.T, SPACE.num_options)]
            return {"nll": found, "macs": -found}

        search = Search(controller, ("nll",), EVALUATIONS)
        loop = SearchLoop(search, SPACE, ("nll", "macs"), evaluate, lambda _: {})
        state = loop.init(jax.random.key(seed))
        while not loop.done(state):
            state = loop.step(state)
        assert state["evaluations"] == EVALUATIONS
        best = loop.archive(state).column("nll").min()
        luck.append(-EVALUATIONS * np.log1p(-best))
    # Exponential with mean 1 each, but for the finite table, so their sum is gamma.
    low, high = stats.gamma(SEEDS).ppf([1e-3, 1 - 1e-3]) / SEEDS
    assert low < np.mean(luck) < high, luck

"""Updates that depend on how complex the trained architecture is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.training.optimizer import SGD
from nas.training.subnet_aware import SubnetAwareSGD
from search_spaces import Architecture
from tests.nas.training.parts import two_layers

STEPS = 10
PLAIN = SGD(learning_rate=0.3, schedule="linear", clip_norm=0.0, weight_decay=0.01)
FIELDS = {field.name: getattr(PLAIN, field.name) for field in dataclasses.fields(SGD)}


def run(optimizer, extras, steps=6):
    """The weights and the state after each of some updates."""
    tx = optimizer.build(STEPS)
    params = {"w": jnp.ones((2, 3)), "b": jnp.zeros(3)}
    state, found = tx.init(params), []
    rng = np.random.default_rng(1)
    for t in range(steps):
        grads = jax.tree.map(
            lambda p: jnp.asarray(rng.normal(size=p.shape), jnp.float32), params
        )
        updates, state = tx.update(grads, state, params, **extras(t))
        params = jax.tree.map(jnp.add, params, updates)
        found.append((params, state, grads))
    return found


def at(complexity, group=0):
    return {"complexity": jnp.float32(complexity), "group": jnp.int32(group)}


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("complexity", ["none", "rate", "momentum", "both"])
def test_constant_complexity_of_power_one_is_plain(complexity, nesterov):
    fields = FIELDS | {"nesterov": nesterov}
    aware = SubnetAwareSGD(**fields, complexity=complexity, groups=3)
    # Where gamma is 1, between 4 and 1 / 4.
    middle = 3 / 3.75
    plain = run(SGD(**fields), lambda t: {})
    for extras in (lambda t: at(middle, 1), lambda t: {}):
        for (found, *_), (wanted, *_) in zip(run(aware, extras), plain, strict=True):
            for a, b in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_rate_is_the_released_schedule():
    aware = SubnetAwareSGD(**FIELDS, complexity="rate")
    for complexity, power in ((0.0, 4.0), (1.0, 0.25), (0.5, 2.125)):
        for step in (0, 3, 9, 10):
            rate = jnp.float32(aware.rate(STEPS)(step))
            found = aware.adapted(rate, jnp.int32(step), jnp.float32(complexity))
            wanted = 0.3 * (1 - step / STEPS) ** power
            assert float(found) == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    # The warm-up is the same for all.
    warm = dataclasses.replace(aware, warmup_steps=5)
    assert float(warm.adapted(jnp.float32(0.06), jnp.int32(1), jnp.float32(0))) == (
        pytest.approx(0.06)
    )


def test_groups_touch_only_their_own_momentum():
    aware = SubnetAwareSGD(**FIELDS, complexity="momentum", groups=3)
    order = (0, 2, 0, 0, 2)
    found = run(aware, lambda t: at(0.5, order[t]), steps=5)
    momenta = [state[1].momenta for _, state, _ in found]
    for t in range(1, 5):
        for g in range(3):
            before, after = momenta[t - 1][g]["w"], momenta[t][g]["w"]
            assert (np.asarray(before) == after).all() == (g != order[t])
    assert not momenta[-1][1]["w"].any()
    # Each is the discounted sum of its own group's gradients.
    for g in (0, 2):
        own = np.zeros((2, 3))
        params = np.ones((2, 3))
        for t in range(5):
            if order[t] == g:
                own = 0.9 * own + np.asarray(found[t][2]["w"]) + 0.01 * params
            params = np.asarray(found[t][0]["w"])
        np.testing.assert_allclose(momenta[-1][g]["w"], own, rtol=1e-5)


def stacked(*genotypes):
    space = two_layers().space
    rows = jnp.asarray(genotypes, jnp.int32)
    return jax.vmap(lambda row: Architecture.hard(space, row))(rows)


def test_complexity_and_group_of_architectures():
    supernet = two_layers()
    aware = SubnetAwareSGD(groups=3)
    ends = [supernet.smallest(), supernet.largest()]
    low, high = (aware.extra(supernet, stacked(end)) for end in ends)
    assert (float(low["complexity"]), int(low["group"])) == (0, 0)
    assert (float(high["complexity"]), int(high["group"])) == (1, 2)
    both = aware.extra(supernet, stacked(*ends))
    assert float(both["complexity"]) == pytest.approx(0.5)
    middle = np.array([1, 0])
    macs = [
        float(supernet.costs(g[None])["macs"][0]) for g in (ends[0], middle, ends[1])
    ]
    wanted = np.log(macs[1] / macs[0]) / np.log(macs[2] / macs[0])
    found = aware.extra(supernet, stacked(middle))
    assert float(found["complexity"]) == pytest.approx(wanted, rel=1e-5)
    named = dataclasses.replace(aware, decision="width")
    assert int(named.extra(supernet, stacked(middle, ends[1]))["group"]) == 1


def test_mistakes_are_refused():
    for changes in (
        {"complexity": "all"},
        {"measure": "latency"},
        {"power": 0.5},
        {"groups": 0},
    ):
        with pytest.raises(UserError, match=next(iter(changes))):
            SubnetAwareSGD(**changes)
    for changes, message in (
        ({"decision": "depth"}, "no decision 'depth'; the space has width"),
        ({"decision": "width", "groups": 2}, "3 options, but groups is 2"),
    ):
        with pytest.raises(UserError, match=message):
            SubnetAwareSGD(**changes).extra(two_layers(), stacked((0, 0)))

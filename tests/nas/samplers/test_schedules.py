"""What is drawn as a function of how far training is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.samplers import Fair, Progressive, Ramp, Sandwich, Stage, Uniform
from tests.nas.samplers.parts import UNEVEN, context_of, draws, order_of, without

STAGES = (Stage("width_.*", 0.25), Stage("depth", 0.5, 2), Stage("depth", 0.75))
ORDER = order_of(UNEVEN)


def opened(progress, allowed=UNEVEN.valid, stages=STAGES):
    context = context_of(UNEVEN, jnp.float32(progress))
    sampler = Progressive(Uniform(), stages)
    return np.asarray(sampler.open(context, jnp.asarray(allowed)))


@pytest.mark.parametrize(
    ("progress", "numbers"),
    [
        (0.0, [1, 1, 1, 1]),
        (0.2499, [1, 1, 1, 1]),
        (0.25, [1, 1, 2, 4]),
        (0.5, [2, 1, 2, 4]),
        (0.75, [3, 1, 2, 4]),
        (0.999, [3, 1, 2, 4]),
    ],
)
def test_decisions_open_from_the_most_expensive_option_down(progress, numbers):
    table = opened(progress)
    for row, order, number in zip(table, ORDER, numbers, strict=True):
        # The ranks that are open are the highest.
        options = np.flatnonzero(order >= 0)
        assert set(np.flatnonzero(row)) == set(
            options[np.argsort(order[options])][-number:]
        )


def test_ranks_are_among_what_is_allowed():
    gone = int(ORDER[3].argmax())
    allowed = without(UNEVEN, width_3=(gone,))
    table = opened(0.0, allowed)
    left = [o for o in range(4) if o != gone]
    assert np.flatnonzero(table[3]).tolist() == [max(left, key=ORDER[3].__getitem__)]
    np.testing.assert_array_equal(opened(0.3, allowed)[3], allowed[3])


@pytest.mark.parametrize("inner", [Uniform(3), Fair(), Sandwich()])
def test_draws_stay_among_what_is_open(inner):
    sampler = Progressive(inner, STAGES)
    assert sampler.leads == inner.leads and sampler.needs == inner.needs
    sizes = set()
    for progress in (0.0, 0.3, 0.6):
        drawn = draws(sampler, UNEVEN, 40, progress=progress).genotypes
        sizes.add(drawn.shape)
        alive = np.asarray(UNEVEN.alive(drawn))
        table = opened(progress)
        assert (table[np.arange(4), drawn] | ~alive).all()
        if progress == 0:
            assert len(np.unique(drawn.reshape(-1, 4), axis=0)) == 1
        if inner.leads:
            largest = context_of(UNEVEN).largest(jnp.asarray(UNEVEN.valid))
            assert (drawn[:, 0] == np.asarray(largest)).all()
    assert len(sizes) == 1


POINTS = ((0.0, 0.2), (0.25, 0.2), (0.75, 1.0))


def test_ramp_follows_its_points():
    places = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9]
    found = [float(Ramp(Uniform(), POINTS).probability(p)) for p in places]
    assert found == pytest.approx([0.2, 0.2, 0.2, 0.6, 1.0, 1.0])
    found = [float(Ramp(Uniform()).probability(p)) for p in (0.0, 0.3, 0.99)]
    assert found == pytest.approx([0.0, 0.3, 0.99])


@pytest.mark.parametrize("progress", [0.0, 0.4, 0.9])
def test_share_of_subnets_is_the_probability(progress):
    sampler = Ramp(Uniform(2), POINTS)
    num, p = 3000, float(sampler.probability(progress))
    drawn = draws(sampler, UNEVEN, num, progress=progress)
    largest = np.asarray(context_of(UNEVEN).largest(jnp.asarray(UNEVEN.valid)))
    other = (drawn.genotypes != largest).any(-1)
    # A subnet may happen to be the largest itself.
    alone = draws(Uniform(2), UNEVEN, num).genotypes
    differs = (alone != largest).any(-1).mean()
    error = 4 * np.sqrt(0.25 / (2 * num))
    assert other.mean() == pytest.approx(p * differs, abs=error)
    both = (other[:, 0] & other[:, 1]).mean()  # each tosses its own coin
    assert both == pytest.approx((p * differs) ** 2, abs=1.5 * error)
    raw = -np.log(UNEVEN.valid.sum(1)).sum()
    np.testing.assert_allclose(drawn.log_probability[other], np.log(p) + raw, rtol=1e-5)
    if p < 1:
        assert np.isclose(drawn.log_probability, np.log1p(-p)).any()


def test_ends_of_the_ramp_are_the_largest_and_the_inner_sampler():
    never, always = (Ramp(Uniform(3), ((0.0, p),)) for p in (0.0, 1.0))
    largest = np.asarray(context_of(UNEVEN).largest(jnp.asarray(UNEVEN.valid)))
    assert (draws(never, UNEVEN, 20).genotypes == largest).all()
    found = draws(always, UNEVEN, 20)
    assert np.isfinite(found.log_probability).all()
    key, allowed = jax.random.key(5), jnp.asarray(UNEVEN.valid)
    drawn = always.sample((), context_of(UNEVEN), key, allowed)
    inner = Uniform(3).sample((), context_of(UNEVEN), jax.random.split(key)[0], allowed)
    np.testing.assert_array_equal(drawn.genotypes, inner.genotypes)
    np.testing.assert_array_equal(drawn.log_probability, inner.log_probability)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Stage("depth", 1.0), "start"),
        (lambda: Stage("depth", 0.5, -1), "options"),
        (lambda: Stage("(", 0.5), "regular expression"),
        (lambda: Progressive(Uniform(), ()), "stages"),
        (lambda: opened(0.0, stages=(Stage("wdith_2", 0.5),)), "wdith_2.*width_2"),
        (
            lambda: Progressive(Uniform(), (Stage("x", 0.0),)).init(None, UNEVEN),
            "no decision",
        ),
        (lambda: Ramp(Uniform(), ()), "points"),
        (lambda: Ramp(Uniform(), ((0.5, 0.0), (0.5, 1.0))), "points"),
        (lambda: Ramp(Uniform(), ((0.0, 1.5),)), "points"),
    ],
)
def test_schedules_that_cannot_be_are_refused(make, word):
    with pytest.raises(UserError, match=word):
        make()


@dataclasses.dataclass(frozen=True)
class Counting(Uniform):
    """Counts its updates, and says so."""

    NEEDS = frozenset({"option_sqnorm"})

    def init(self, key, space):
        return 0

    def update(self, state, feedback):
        return state + feedback

    def health(self, state, context, allowed):
        return {"count": state}


@pytest.mark.parametrize("sampler", [Ramp(Counting()), Progressive(Counting(), STAGES)])
def test_what_is_learned_is_the_inner_samplers(sampler):
    assert sampler.needs == Counting.NEEDS
    state = sampler.update(sampler.init(None, UNEVEN), 3)
    assert sampler.health(state, None, None) == {"count": 3}

"""Distances between gradients, where they can be done by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.losses import CrossEntropy, Loss
from nas.partition import FewShot, GradientMatching
from nas.partition.gradient_matching import alive_table
from search_spaces import Architecture
from search_spaces.vision_transformer import PRESETS
from tests.nas.partition.conftest import Toy

QUICK = GradientMatching(repeats=4, min_repeats=2, batch_size=16)
# Options 0 and 2 pull one way and 1 and 3 the other; the second decision pulls nothing.
PLANTED = Toy(((1, -1, 1, -1), (1, 1, 1, 1)))


def distances(toy, score, d=0, repeat=0):
    probe = toy.probe()
    table = jnp.asarray(toy.space.valid)
    key = jax.random.fold_in(jax.random.key(3), repeat)
    program = score.compile(probe)
    return np.asarray(program(toy.params(), table, jnp.int32(d), key, probe.data))


def test_opposed_families_are_two_apart_and_alike_options_nothing():
    found = distances(PLANTED, QUICK)
    family = np.array([0, 1, 0, 1])
    expected = 2.0 * (family[:, None] != family[None])
    np.testing.assert_allclose(found, expected, atol=2e-3)
    np.testing.assert_allclose(distances(PLANTED, QUICK, d=1), 0, atol=1e-6)


@pytest.mark.parametrize("context", ["hard", "soft"])
def test_duplicate_options_are_nothing_apart_on_every_batch(context):
    toy = Toy(((1, 0.5, 0.5, -1), (1, -0.3)))
    score = dataclasses.replace(QUICK, context=context)
    for repeat in range(3):
        found = distances(toy, score, repeat=repeat)
        assert abs(found[1, 2]) < 1e-6
        np.testing.assert_allclose(found, found.T, atol=1e-6)


@pytest.mark.parametrize("cut", ["min_within", "min_mean_within"])
def test_families_are_recovered_and_the_conflicted_decision_is_split(cut):
    partition = FewShot(at=(1,), cut=cut, score=QUICK)
    space = PLANTED.space
    (found,) = partition.refine(space, space.valid[None], PLANTED.probe())
    assert found.decision == "d0"
    assert found.groups == ((0, 2), (1, 3))


def test_the_other_published_rule_splits_where_options_agree():
    # Within families there is some distance too, so that only the benign has none.
    toy = Toy(((1, -1, 1, -1), (1, 1, 1, 1)), features=4)
    probe = toy.probe()
    partition = FewShot(at=(1,), sizes=((1, 3),), decision="min_within", score=QUICK)
    (found,) = partition.refine(toy.space, toy.space.valid[None], probe)
    assert found.decision == "d1"
    (found,) = dataclasses.replace(partition, decision="max_between").refine(
        toy.space, toy.space.valid[None], toy.probe()
    )
    assert found.decision == "d0"


@dataclasses.dataclass(frozen=True)
class Scaled(Loss):
    """A multiple of cross-entropy."""

    factor: float = 1.0

    def __call__(self, outputs, labels):
        return self.factor * CrossEntropy()(outputs, labels)


def test_the_scale_of_the_loss_does_not_matter():
    toy = Toy(((1, -1, 0.5), (1, 0.2)))
    base = distances(toy, dataclasses.replace(QUICK, loss=Scaled(1.0), compare="both"))
    more = distances(toy, dataclasses.replace(QUICK, loss=Scaled(1e4), compare="both"))
    np.testing.assert_allclose(base, more, atol=1e-5, equal_nan=True)


def test_one_large_gradient_dominates_a_cosine_over_everything():
    # The weights of d1's options lie outside d0 and have gradients of another size.
    toy = Toy(((1, -1), (1e-3, 1e-3)), offsets=1.0)
    together = distances(toy, QUICK)
    each = distances(toy, dataclasses.replace(QUICK, average="tensors"))
    assert together[0, 1] < 0.01
    assert each[0, 1] == pytest.approx(1, abs=0.01)


def test_every_repeat_has_a_batch_and_a_context_of_its_own():
    toy = Toy(((1, -0.5, 0.3), (1, -1, 0.5)), offsets=1.0)
    found = [distances(toy, QUICK, repeat=r) for r in (0, 0, 1, 2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2]) and not np.allclose(found[2], found[3])


def test_a_pair_without_a_gradient_is_undefined_and_does_not_decide():
    # An option of sign 0 cuts the shared vector off: its gradient is zero.
    toy = Toy(((1, 0, -1),))
    found = distances(toy, QUICK)
    assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all()
    assert found[0, 2] == pytest.approx(2, abs=2e-3)
    (split,) = FewShot(at=(1,), score=QUICK).refine(
        toy.space, toy.space.valid[None], toy.probe()
    )
    assert not any({0, 2} <= set(group) for group in split.groups)
    text = split.evidence["candidates"][0]["distance"]
    assert text[0][1] is None and text[0][2] is not None


class Widths:
    """A vector of elastic width, all of whose entries both options may use."""

    space = dataclasses.replace(
        Toy(((1, 1, 1),)).space, name="widths"
    )  # options use 1, 2 and 3 entries
    own = np.tril(np.ones((3, 3), np.float32))

    def forward(self, params, arch, x, key):
        used = arch["d0"].weights @ self.own
        value = (x[:, :3] * params["w"][None] * used[None]).sum(-1)
        logits = jnp.stack([value, -value], -1)
        return (
            dataclasses.replace(PLANTED)
            .forward(
                {
                    "shared": jnp.zeros(4),
                    "own": {"d0": jnp.zeros(4), "d1": jnp.zeros(4)},
                },
                Architecture.hard(PLANTED.space, jnp.zeros(2, jnp.int32)),
                x,
                key,
            )
            ._replace(logits=logits)
        )

    def activity(self, arch):
        return {"w": arch["d0"].weights @ self.own}


@pytest.mark.parametrize("compare", ["outside", "both"])
def test_what_both_options_use_is_compared(compare):
    widths = Widths()
    probe = dataclasses.replace(
        PLANTED.probe(),
        context=dataclasses.replace(
            PLANTED.probe().context,
            space=widths.space,
            forward=widths.forward,
            activity=widths.activity,
        ),
    )
    score = dataclasses.replace(QUICK, compare=compare)
    params = {"w": jnp.asarray([0.3, -0.7, 1.1], jnp.float32)}
    table, key = jnp.asarray(widths.space.valid), jax.random.key(3)
    found = score.compile(probe)(params, table, jnp.int32(0), key, probe.data)
    k_batch, _, _ = jax.random.split(key, 3)
    batch = PLANTED.draw(probe.data, k_batch, score.batch_size)

    def gradient(option):
        def loss(params):
            arch = Architecture.hard(widths.space, jnp.asarray([option], jnp.int32))
            outputs = widths.forward(params, arch, batch.x, key)
            return CrossEntropy()(outputs, batch.labels).mean()

        return np.asarray(jax.grad(loss)(params)["w"])

    for i in range(3):
        for j in range(3):
            shared = 1 if compare == "outside" else min(i, j) + 1
            a, b = gradient(i)[:shared], gradient(j)[:shared]
            cosine = a @ b / np.sqrt((a @ a) * (b @ b))
            assert found[i, j] == pytest.approx(1 - cosine, abs=1e-5)


def test_measuring_stops_when_the_order_is_stable_and_not_before():
    score = GradientMatching(repeats=30, min_repeats=3, batch_size=16)
    space = PLANTED.space
    (clear,) = FewShot(at=(1,), score=score).refine(
        space, space.valid[None], PLANTED.probe()
    )
    assert clear.evidence["repeats"] == 3
    assert clear.evidence["agreement"] == 1
    never = dataclasses.replace(score, stability=0.0)
    (full,) = FewShot(at=(1,), score=never).refine(
        space, space.valid[None], PLANTED.probe()
    )
    assert full.evidence["repeats"] == 30
    assert full.evidence["passes"] == 30 * (4 + 4)


def test_a_killed_measurement_goes_on_where_it_was(kept):
    class Killed(Exception):
        pass

    calls = iter(range(100))

    def pause():
        if next(calls) == 1:
            raise Killed

    toy = Toy(((1, -0.5, 0.3, -1), (1, 0.2, -0.4)))
    partition = FewShot(at=(1,), score=dataclasses.replace(QUICK, stability=0.0))
    tables = toy.space.valid[None]
    with pytest.raises(Killed):
        partition.refine(toy.space, tables, toy.probe(kept, pause))
    assert len(kept.values["distances_0"]) == 2
    again = partition.refine(toy.space, tables, toy.probe(kept))
    assert again == partition.refine(toy.space, tables, toy.probe())


def test_a_decision_is_compared_where_it_has_an_effect():
    space = PRESETS["vit_tiny"]
    d = space.names.index("heads_4")
    narrowed = alive_table(space, space.valid, d)
    assert narrowed is not None
    drawn = np.asarray(space.sample(jax.random.key(0), 50, narrowed))
    assert np.asarray(space.alive(drawn))[:, d].all()
    shallow = space.valid.copy()
    shallow[space.names.index("depth")] = [True, True, False]
    assert alive_table(space, shallow, d) is None

"""The sandwich rule: what is in every draw, and how the rest is distributed."""

import numpy as np
import pytest

from nas.errors import UserError
from nas.samplers import Fair, Sandwich, Uniform
from tests.nas.samplers.parts import CELLS, UNEVEN, draws, likely, order_of, without

TABLES = [
    (UNEVEN, UNEVEN.valid),
    (CELLS, CELLS.valid),
    (UNEVEN, without(UNEVEN, depth=(2,), operation=(0, 3))),
    (CELLS, without(CELLS, edge_0_1=(0, 2), edge_2_3=(1, 3, 4))),
]


@pytest.mark.parametrize(("space", "allowed"), TABLES)
def test_largest_is_first_and_smallest_second(space, allowed):
    order = order_of(space)
    extremes = [
        [
            best(np.flatnonzero(mask), key=row.__getitem__)
            for row, mask in zip(order, allowed, strict=True)
        ]
        for best in (max, min)
    ]
    want = space.canonical(np.array(extremes, np.int32))
    drawn = draws(Sandwich(), space, 30, allowed)
    assert drawn.genotypes.shape == (30, 4, space.num_decisions)
    for step in drawn.genotypes:
        np.testing.assert_array_equal(step[:2], want)
    rest = drawn.genotypes[:, 2:].reshape(60, -1)
    assert allowed[np.arange(space.num_decisions), rest].all()
    assert len({row.tobytes() for row in rest}) > 3
    np.testing.assert_array_equal(drawn.log_probability[:, :2], 0)
    np.testing.assert_allclose(
        drawn.log_probability[:, 2:], -np.log(allowed.sum(1)).sum(), rtol=1e-6
    )
    assert Sandwich().leads and not Uniform().leads and not Fair().leads


def test_restricting_excludes_the_largest_of_all():
    whole, cut = (
        draws(Sandwich(), space, 1, allowed).genotypes[0, 0]
        for space, allowed in (TABLES[0], TABLES[2])
    )
    assert whole.tolist() != cut.tolist()


def test_the_others_are_uniform():
    allowed = without(UNEVEN, operation=(0, 1), depth=(1,))
    drawn = draws(Sandwich(random=3), UNEVEN, 700, allowed).genotypes
    for place in (2, 4):
        # Depth 1 leaves both widths dead, depth 3 neither.
        shallow = drawn[:, place, 0] == 0
        assert likely(np.bincount(drawn[:, place, 1], minlength=5)[2:])
        assert likely([shallow.sum(), (~shallow).sum()])
        deep = drawn[~shallow, place]
        assert likely(np.bincount(deep[:, 2] * 4 + deep[:, 3], minlength=8))
    assert (drawn[:, 2] != drawn[:, 3]).any(1).mean() > 0.5


@pytest.mark.parametrize(("smallest", "num"), [(True, 2), (False, 1)])
def test_nothing_random_is_nothing_random(smallest, num):
    drawn = draws(Sandwich(random=0, smallest=smallest), CELLS, 3).genotypes
    assert drawn.shape == (3, num, 6)
    assert len(np.unique(drawn[:, 0], axis=0)) == 1


def test_negative_numbers_are_refused():
    with pytest.raises(UserError, match="random"):
        Sandwich(random=-1)

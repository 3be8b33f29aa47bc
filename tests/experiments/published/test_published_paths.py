"""Published strategies fit the spaces that they were published for."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.published.once_for_all import once_for_all, stages
from experiments.published.sandwich import alpha_net, big_nas
from nas.strategies import Context
from search_spaces.mobile import PRESETS


@pytest.mark.parametrize(
    ("epoch", "kernel", "depth", "expand"),
    [
        (0, 1, 1, 1),
        (179, 1, 1, 1),
        (181, 3, 1, 1),
        (301, 3, 2, 1),
        (326, 3, 3, 1),
        (446, 3, 3, 2),
        (471, 3, 3, 3),
    ],
)
def test_once_for_all_opens_in_the_published_order(epoch, kernel, depth, expand):
    space = PRESETS["ofa_mobilenet_v3"]
    order = np.where(space.valid, np.arange(space.max_options)[None], -1)
    context = Context(space, None, None, order.astype(np.int32), epoch / 590)
    sampler = once_for_all().sampler
    table = np.asarray(sampler.open(context, jnp.asarray(space.valid)))
    want = {"kernel": kernel, "depth": depth, "expand": expand, "width": 1}
    for name, row in zip(space.names, table, strict=True):
        number = want[name.partition("_")[0]]
        assert row.sum() == number, name
        # What is open is what costs most: the last options, here.
        assert (
            np.flatnonzero(row).max() == space.valid[space.names.index(name)].sum() - 1
        )


def test_without_the_largest_alone_kernels_open_at_once():
    assert stages(alone=0)[0].start == 0
    assert big_nas().regularize and big_nas().students and alpha_net().students

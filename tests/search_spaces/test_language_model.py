"""Published sizes of the language models' spaces."""

import numpy as np
import pytest

import search_spaces
from search_spaces.language_model import language_model


@pytest.mark.parametrize(
    ("name", "depths", "size"),
    [
        # 1.79e6 and 1.61e7 in the paper (arXiv 2312.10440).
        ("gpt_shakespeare", (4, 5, 6), 1_791_153),
        ("gpt_tinystories", (5, 6, 7), 16_120_377),
        ("gpt_tiny", (2, 3, 4), 22_113),
    ],
)
def test_sizes_follow_from_independent_blocks(name, depths, size):
    space = search_spaces.discover()[name]
    # Three widths; three heads by three ratios in each block that exists.
    assert space.size == 3 * sum(9**depth for depth in depths) == size


def test_blocks_beyond_the_depth_are_dead():
    space = language_model("l", (8, 16), (1, 3), (1, 2), (1.0, 2.0))
    shallow = dict(zip(space.names, space.alive(np.zeros(8, np.int32)), strict=True))
    assert [name for name, alive in shallow.items() if alive] == [
        "embed",
        "depth",
        "heads_1",
        "mlp_ratio_1",
    ]

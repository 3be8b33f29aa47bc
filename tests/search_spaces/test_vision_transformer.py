"""Published sizes of the vision transformers' spaces."""

import numpy as np
import pytest

import search_spaces
from search_spaces.vision_transformer import vision_transformer


def counted(embed: int, heads_x_ratio: int, depths: tuple[int, ...]) -> int:
    """Blocks are independent: a network of depth d has (heads x ratios)^d forms."""
    return embed * sum(heads_x_ratio**depth for depth in depths)


def test_the_tiny_space_has_its_published_size():
    space = search_spaces.discover()["autoformer_tiny"]
    assert space.size == counted(3, 4, (12, 13, 14)) == 1_056_964_608
    assert space.raw_size == 3 * 3 * 4**14 == 2_415_919_104


@pytest.mark.parametrize(
    ("name", "embed", "heads_x_ratio", "depths"),
    [
        ("autoformer_small", 3, 9, (12, 13, 14)),
        ("autoformer_base", 3, 6, (14, 15, 16)),
        ("vit_tiny", 3, 9, (2, 3, 4)),
    ],
)
def test_sizes_follow_from_independent_blocks(name, embed, heads_x_ratio, depths):
    space = search_spaces.discover()[name]
    assert space.size == counted(embed, heads_x_ratio, depths)


def test_blocks_beyond_the_depth_are_dead():
    space = vision_transformer("v", (8, 16), (1, 2, 3), (1, 2), (1.0, 2.0))
    for i, depth in enumerate((1, 2, 3)):
        genotype = np.ones(space.num_decisions, np.int32)
        genotype[1] = i
        alive = dict(zip(space.names, space.alive(genotype), strict=True))
        assert alive["embed"] and alive["depth"]
        for block in (1, 2, 3):
            assert alive[f"heads_{block}"] == (block <= depth)
            assert alive[f"mlp_ratio_{block}"] == (block <= depth)

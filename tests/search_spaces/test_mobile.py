"""Sizes of the mobile spaces, and what is alive in them."""

import dataclasses

import numpy as np
import pytest

import search_spaces
from search_spaces import Decision, SearchSpace
from search_spaces.mobile import MobileStage, mobile, stages_of

STAGES = (
    MobileStage((4,), (1, 3), (3, 5), (1.5, 2)),
    MobileStage((6, 8), (2,), (3,), (1,)),
)
SPACE = mobile("two", STAGES)


def test_the_published_space_has_its_published_size():
    space = search_spaces.discover()["ofa_mobilenet_v3"]
    # Blocks are independent: kernels x ratios of each, for 2 to 4 blocks in 5 stages.
    per_stage = sum((3 * 3) ** depth for depth in (2, 3, 4))
    assert per_stage == 7371
    assert space.size == per_stage**5 == 21_758_655_492_572_485_851
    assert f"{space.size:.3g}" == "2.18e+19"


def test_the_small_space_has_its_size():
    space = search_spaces.discover()["mobile_tiny"]
    assert space.size == (3 * sum(6**depth for depth in (1, 2, 3))) ** 3 == 463_684_824


def test_enumeration_agrees():
    assert len(SPACE.enumerate()) == SPACE.size == (4 + 4**3) * 2


def test_blocks_beyond_the_depth_are_dead():
    for depth in (1, 3):
        live = SPACE.alive(SPACE.encode(_all_first() | {"depth_1": depth}))
        alive = dict(zip(SPACE.names, live, strict=True))
        for block in (1, 2, 3):
            assert alive[f"kernel_1_{block}"] == (block <= depth)
            assert alive[f"expand_1_{block}"] == (block <= depth)
        assert alive["kernel_2_2"] and alive["width_1"]


def _all_first():
    return {decision.name: decision.options[0] for decision in SPACE.decisions}


def test_stages_are_read_back():
    assert stages_of(SPACE) == STAGES
    assert stages_of(SearchSpace.from_json(SPACE.to_json())) == STAGES


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (SearchSpace("s", (Decision("embed", (4,)),)), "no decision 'width_1'"),
        (SearchSpace("s", (Decision("width_1", (4,)),)), "no decision 'depth_1'"),
        (mobile("s", [dataclasses.replace(STAGES[0], kernel=(3, 4))]), "odd numbers"),
        (mobile("s", [dataclasses.replace(STAGES[0], width=(4.0,))]), "whole numbers"),
        (mobile("s", [dataclasses.replace(STAGES[1], depth=(0, 1))]), "depth_1 of 's'"),
        (SearchSpace("s", SPACE.decisions[:-1]), "is not laid out"),
        (
            SearchSpace(
                "s",
                tuple(dataclasses.replace(d, requires=None) for d in SPACE.decisions),
            ),
            "alive where the depth reaches",
        ),
    ],
)
def test_other_spaces_are_refused(space, message):
    with pytest.raises(ValueError, match=message):
        stages_of(space)


def test_widths_of_the_published_space_are_fixed():
    space = search_spaces.discover()["ofa_mobilenet_v3"]
    assert [stage.width for stage in stages_of(space)] == [
        (24,), (40,), (80,), (112,), (160,)
    ]  # fmt: skip
    assert np.prod([len(stage.width) for stage in stages_of(space)]) == 1

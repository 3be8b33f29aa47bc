"""Mobile convolutional networks: width, depth, kernel sizes and expansion ratios.

Inverted residual blocks in stages (Sandler et al. 2018, arXiv 1801.04381; Howard et al.
2019, arXiv 1905.02244), with the decisions of Cai, Gan, Wang, Zhang and Han,
"Once-for-All: Train One Network and Specialize it for Efficient Deployment", ICLR 2020,
arXiv 1908.09791. Block i of a stage exists where the stage is at least i deep, and its
decisions are conditional on that.
"""

import dataclasses
from collections.abc import Sequence

from search_spaces.base import Decision, SearchSpace


@dataclasses.dataclass(frozen=True)
class MobileStage:
    """What may vary in one stage.

    Attributes:
      width: channels that leave its blocks; one where it is fixed.
      depth: numbers of blocks.
      kernel: sizes of a block's kernels, odd.
      expand: what a block multiplies its input's channels by.
    """

    width: tuple[int, ...]
    depth: tuple[int, ...]
    kernel: tuple[int, ...]
    expand: tuple[float, ...]


def mobile(name: str, stages: Sequence[MobileStage]) -> SearchSpace:
    """Make a space of mobile convolutional networks.

    Args:
      name: what to call it.
      stages: what may vary in each.

    Returns:
      For each stage s from 1 the decisions `width_<s>` and `depth_<s>`, and
      `kernel_<s>_<i>` and `expand_<s>_<i>` for each block i from 1 to the greatest
      depth.
    """
    decisions = []
    for s, stage in enumerate(stages, 1):
        depth = f"depth_{s}"
        decisions.append(Decision(f"width_{s}", tuple(stage.width)))
        decisions.append(Decision(depth, tuple(stage.depth)))
        for i in range(1, max(stage.depth) + 1):
            deep_enough = tuple(d for d in stage.depth if d >= i)
            always = len(deep_enough) == len(stage.depth)
            requires = None if always else (depth, deep_enough)
            for kind, options in (("kernel", stage.kernel), ("expand", stage.expand)):
                decisions.append(Decision(f"{kind}_{s}_{i}", tuple(options), requires))
    return SearchSpace(name, tuple(decisions))


def stages_of(space: SearchSpace) -> tuple[MobileStage, ...]:
    """Read the stages that `mobile` made a space of.

    Args:
      space: a space.

    Returns:
      Its stages.

    Raises:
      ValueError: `mobile` makes no such space; the message names what differs.
    """
    options = {decision.name: decision.options for decision in space.decisions}
    stages: list[MobileStage] = []
    while (s := len(stages) + 1) and f"width_{s}" in options:
        needed = (f"width_{s}", f"depth_{s}", f"kernel_{s}_1", f"expand_{s}_1")
        _require(space, needed)
        parts = [options[name] for name in needed]
        for name, sizes in zip(needed[:3], parts[:3], strict=True):
            _check_sizes(space, name, sizes)
        stages.append(MobileStage(*parts))  # type: ignore[arg-type]
    if not stages:
        _require(space, ("width_1",))
    if mobile(space.name, stages).decisions != space.decisions:
        raise ValueError(
            f"space: {space.name!r} is not laid out as search_spaces.mobile makes it: "
            "of each stage s width_<s>, depth_<s>, then kernel_<s>_<i> and "
            "expand_<s>_<i> of each block i, with the same options in all its blocks, "
            "alive where the depth reaches."
        )
    return tuple(stages)


def _require(space: SearchSpace, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in space.names]
    if missing:
        raise ValueError(
            f"space: {space.name!r} has no decision {missing[0]!r}; those of a mobile "
            "network are made by search_spaces.mobile."
        )


def _check_sizes(space: SearchSpace, name: str, sizes: Sequence[object]) -> None:
    odd = name.startswith("kernel")
    for size in sizes:
        whole = isinstance(size, int) and not isinstance(size, bool) and size >= 1
        if not whole or (odd and int(str(size)) % 2 == 0):
            raise ValueError(
                f"space: {name} of {space.name!r} has the options {tuple(sizes)}; they "
                f"are {'odd' if odd else 'whole'} numbers, at least 1."
            )


PRESETS = {
    space.name: space
    for space in (
        # The published space for ImageNet, without its resolutions: widths are fixed.
        mobile(
            "ofa_mobilenet_v3",
            [
                MobileStage((width,), (2, 3, 4), (3, 5, 7), (3, 4, 6))
                for width in (24, 40, 80, 112, 160)
            ],
        ),
        # For images of 8 to 32 pixels, on a laptop.
        mobile(
            "mobile_tiny",
            [
                MobileStage(widths, (1, 2, 3), (3, 5), (2, 3, 4))
                for widths in ((8, 12, 16), (16, 20, 24), (24, 32, 40))
            ],
        ),
    )
}

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Architecture, Decision, SearchSpace
from search_spaces.mobile import MobileStage, mobile
from supernets import MobileSupernet
from supernets.mobile import TINY
from supernets.paths import flatten
from tests.supernets import contract

PUBLISHED = MobileSupernet.once_for_all()

# A quarter of the hidden channels, to a multiple of 8 that loses at most a tenth.
SQUEEZED = {72: 24, 120: 32, 144: 40, 240: 64, 336: 88, 480: 120, 672: 168, 960: 240}


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def count(depth: int, kernel: int, ratio: int) -> tuple[int, int]:
    """Count a published network by hand: (multiply-accumulates, parameters).

    Every line is one layer: pixels that leave it, and its kernel's entries; a norm has
    a scale and a bias. Images are 112, 56, 28, 14, 14 and 7 pixels wide.
    """
    macs, params = 112**2 * 9 * 3 * 16, 9 * 3 * 16 + 2 * 16
    macs += 112**2 * (9 * 16 + 16 * 16)
    params += 9 * 16 + 2 * 16 + 16 * 16 + 2 * 16
    before, width = 112, 16
    for side, channels, squeeze in (
        (56, 24, False),
        (28, 40, True),
        (14, 80, False),
        (14, 112, True),
        (7, 160, True),
    ):
        for _ in range(depth):
            hidden = ratio * width
            macs += before**2 * width * hidden
            macs += side**2 * (kernel**2 * hidden + hidden * channels)
            params += width * hidden + kernel**2 * hidden + hidden * channels
            params += 2 * (hidden + hidden + channels)
            if squeeze:
                s = SQUEEZED[hidden]
                macs += 2 * hidden * s
                params += 2 * hidden * s + s + hidden
            before, width = side, channels
    macs += 49 * 160 * 960 + 960 * 1280 + 1280 * 1000
    params += 160 * 960 + 2 * 960 + 960 * 1280 + 1280 * 1000 + 1000
    return macs, params


def test_the_published_network_has_its_published_sizes():
    # Built abstractly, at full size. Its ends are those of the paper's space: the
    # greatest depth, kernel and ratio in all blocks, and the least.
    ends = np.stack([PUBLISHED.largest(), PUBLISHED.smallest()])
    costs = PUBLISHED.costs(ends)
    found = list(zip(costs["macs"].tolist(), costs["params"].tolist(), strict=True))
    assert found == [(566_170_656, 7_664_760), (121_278_672, 3_410_792)]
    assert found == [count(4, 7, 6), count(2, 3, 3)]


def test_layers_of_the_published_network_have_their_widths():
    shapes = jax.eval_shape(PUBLISHED.init, jax.random.key(0))
    widths = {path: leaf.shape[-1] for path, leaf in flatten(shapes).items()}
    assert widths["stem", "kernel"] == 16
    stages = [f"stage_{s}" for s in range(1, 6)]
    leaving = [widths[stage, "later", "project", "kernel"] for stage in stages]
    assert leaving == [24, 40, 80, 112, 160]
    assert widths["final", "kernel"] == 960
    assert widths["mix", "kernel"] == 1280
    assert widths["classifier", "kernel"] == 1000
    weighs = {path[0] for path in widths if "weigh" in path}
    assert weighs == {"stage_2", "stage_4", "stage_5"}


@pytest.mark.slow
def test_macs_of_the_published_network_are_those_of_its_program():
    for genotype in (PUBLISHED.largest(), PUBLISHED.smallest()):
        macs = int(PUBLISHED.costs(genotype[None])["macs"][0])
        assert contract.program_macs(PUBLISHED, genotype) == macs


@pytest.mark.slow
def test_the_block_before_the_stages_is_that_of_the_subnet(float64):
    stage = MobileStage((4,), (1,), (3,), (2,))
    supernet = dataclasses.replace(
        TINY,
        space=mobile("one", (stage, dataclasses.replace(stage, kernel=(3, 5)))),
        first_block=True,
        stem_stride=2,
        strides=(1, 1),
        input_shape=(7, 6, 2),
    )
    case = contract.Case(supernet)
    for genotype in supernet.space.enumerate():
        contract.check_equals_subnet(case, genotype)
    with jax.enable_x64(False):
        contract.check_counts(contract.Case(supernet, "float32"), genotype)


@pytest.mark.slow
def test_half_precision_is_near_single():
    params = jax.jit(TINY.init)(jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (8, *TINY.input_shape))
    arch = Architecture.hard(TINY.space, TINY.largest())
    single = jax.jit(TINY.apply)(params, None, arch, x).logits
    found = jax.jit(TINY.with_precision("bfloat16").apply)(params, None, arch, x).logits
    assert found.dtype == jnp.float32
    assert 0 < jnp.abs(found - single).max() < 0.1 * jnp.abs(single).max()


def two(**changes):
    return mobile("two", [dataclasses.replace(s, **changes) for s in TINY.sizes.stages])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stem_width": 0}, "stem_width: found 0"),
        ({"num_classes": 1}, "num_classes: found 1"),
        ({"strides": (1, 0)}, "strides: found 0"),
        ({"strides": (1,)}, r"strides: found \(1,\) for the 2 stages of 'tiny'"),
        ({"squeeze": ()}, r"squeeze: found \(\) for the 2 stages"),
        ({"activations": ("relu", "gelu")}, "'gelu'; there are relu, hard_swish"),
        ({"space": two(expand=(1, 1.1))}, r"\[3, 3\] hidden channels, which must"),
        ({"channel_divisor": 8}, "smaller channel_divisor than 8"),
        ({"strides": (2, 2)}, "stage 2 .* kernels of 5 meet images of 2 x 2 pixels"),
        ({"input_shape": (2, 2, 1)}, "larger images"),
        ({"space": SearchSpace("s", (Decision("embed", (4,)),))}, "'width_1'"),
    ],
)
def test_what_makes_no_network_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


def test_the_default_fits_small_images():
    for shape in ((28, 28, 1), (32, 32, 3)):
        assert MobileSupernet().with_data(shape, 10).input_shape == shape
    with pytest.raises(ValueError, match=r"stage 3 .* images of 2 x 2 pixels"):
        MobileSupernet().with_data((8, 8, 1), 10)

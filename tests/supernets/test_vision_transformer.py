import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Architecture, Decision, SearchSpace
from search_spaces.vision_transformer import PRESETS, vision_transformer
from supernets import VisionTransformerSupernet, load_weights
from supernets.counting import count_macs

SPACE = vision_transformer("tiny", (4, 8), (1, 3), (1, 2), (1.5, 2.0))
SUPERNET = VisionTransformerSupernet(
    SPACE, patch_size=4, head_size=3, input_shape=(8, 12, 2), num_classes=3
)


def test_macs_are_those_of_the_subnets_program():
    genotypes = np.asarray(SPACE.sample(jax.random.key(0), 6))
    genotypes = np.stack([*genotypes, SUPERNET.largest(), SUPERNET.smallest()])
    declared = SUPERNET.costs(genotypes)["macs"]
    x = jax.ShapeDtypeStruct((1, *SUPERNET.input_shape), jnp.float32)
    for genotype, macs in zip(genotypes, declared, strict=True):
        # Built inside of the program, its weights are traced instead of drawn.
        assert count_macs(lambda x, g=genotype: SUPERNET.subnet(g)(x), x) == macs


def test_published_sizes():
    # The networks found in the spaces (Chen et al. 2021, table 2) have 5.7 and 22.9
    # million parameters; their class token and relative positions are few of them.
    for name, published in (("autoformer_tiny", 5.7e6), ("autoformer_small", 22.9e6)):
        supernet = VisionTransformerSupernet(
            PRESETS[name],
            patch_size=16,
            head_size=64,
            input_shape=(224, 224, 3),
            num_classes=1000,
        )
        sizes = supernet.costs(np.stack([supernet.smallest(), supernet.largest()]))
        low, high = sizes["params"]
        assert low < published < high


def test_tokens_beyond_the_width_are_exactly_zero():
    params = jax.jit(SUPERNET.init)(jax.random.key(1))
    arch = Architecture.hard(SPACE, SUPERNET.smallest())
    x = jax.random.normal(jax.random.key(2), (2, *SUPERNET.input_shape))
    features = jax.jit(SUPERNET.apply)(params, None, arch, x).features
    assert features.shape == (2, 8)
    assert not features[:, 4:].any()
    assert features[:, :4].any()


def test_half_precision_is_near_single():
    params = jax.jit(SUPERNET.init)(jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (2, *SUPERNET.input_shape))
    arch = Architecture.hard(SPACE, SUPERNET.largest())
    half = SUPERNET.with_precision("bfloat16")
    single = jax.jit(SUPERNET.apply)(params, None, arch, x).logits
    found = jax.jit(half.apply)(params, None, arch, x).logits
    assert found.dtype == jnp.float32
    assert 0 < jnp.abs(found - single).max() < 0.05 * jnp.abs(single).max()


def test_a_misfit_patch_size_names_those_that_fit():
    with pytest.raises(
        ValueError, match=r"4 does not divide.* 30 x 18 .*: 1, 2, 3, 6\."
    ):
        SUPERNET.with_data((30, 18, 3), 10)
    fitted = SUPERNET.with_data((28, 28, 1), 10)
    assert (fitted.num_patches, fitted.patch_size) == (49, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_size": 0}, "head_size: found 0"),
        ({"num_classes": 1}, "num_classes: found 1"),
        ({"patch_size": 5}, "patch_size: 5 does not divide"),
        ({"space": SearchSpace("s", (Decision("embed", (4,)),))}, "'depth'"),
        (
            {"space": vision_transformer("s", (4,), (0, 1), (1,), (1.0,))},
            "depth of 's'",
        ),
        ({"space": vision_transformer("s", (4,), (1,), (1,), (1.0, 1.1))}, r"\[4, 4\]"),
        (
            {
                "space": dataclasses.replace(
                    SPACE,
                    decisions=(
                        *SPACE.decisions[:-1],
                        dataclasses.replace(SPACE.decisions[-1], requires=None),
                    ),
                )
            },
            "alive where the depth reaches",
        ),
    ],
)
def test_what_makes_no_network_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SUPERNET, **change)


def test_weights_of_another_architecture_do_not_load():
    params = jax.jit(SUPERNET.init)(jax.random.key(1))
    extracted = SUPERNET.extract(params, None, SUPERNET.smallest())
    with pytest.raises(ValueError, match=r"blocks/1/.* is missing"):
        load_weights(SUPERNET.subnet(SUPERNET.largest()), extracted)

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Architecture
from search_spaces.language_model import PRESETS, language_model
from supernets import LanguageModelSupernet, standalone
from supernets.language_model import TINY
from supernets.weights import WeightedSupernet
from tests.supernets import contract

# What the contract does not run on by itself.
OTHER = dataclasses.replace(TINY, norm="rms", tied=False)
# Width 4 of 6, depth 2 of 3, and blocks that differ.
BLOCKS = np.asarray([0, 1, 0, 1, 1, 0, 0, 0], np.int32)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.slow
def test_rms_norms_and_a_head_of_its_own_equal_their_subnet(float64):
    case = contract.Case(OTHER)
    arch = case.hard(BLOCKS)
    subnet = standalone.functional(case.supernet.subnet(BLOCKS))

    def shared(params):
        logits = case.supernet.apply(params, None, arch, case.x).logits
        return jnp.sum(case.cotangent * logits), logits

    def alone(params):
        own = case.supernet.extract(params, None, BLOCKS)["params"]
        # Flax's norms raise float64 by float32, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            logits = subnet.infer(own, {}, case.x)
        return jnp.sum(case.cotangent * logits), logits

    found, expected = (
        jax.jit(jax.value_and_grad(fn, has_aux=True))(case.params)
        for fn in (shared, alone)
    )
    contract.assert_close(found, expected, contract.FLOAT64)
    macs = case.supernet.costs(BLOCKS[None])["macs"][0]
    assert contract.program_macs(case.supernet, BLOCKS) == macs


def test_outputs_are_of_the_type_that_is_computed_in(float64):
    arch = Architecture.hard(TINY.space, BLOCKS)
    x = jnp.zeros((2, 4), jnp.int32)
    for precision, expected in (
        ("bfloat16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
    ):
        supernet = TINY.with_precision(precision)
        params = jax.eval_shape(supernet.init, jax.random.key(0))
        outputs = jax.eval_shape(supernet.apply, params, None, arch, x)
        assert (outputs.logits.dtype, outputs.features.dtype) == (expected, expected)
        assert (outputs.logits.shape, outputs.features.shape) == ((2, 4, 5), (2, 4, 6))


def test_half_precision_is_near_single():
    supernet = LanguageModelSupernet(input_shape=(16,), num_classes=20)
    params = jax.jit(supernet.init)(jax.random.key(1))
    # Tables at the scale of what blocks add, so that logits are not of them alone.
    params["embedding"] = jax.tree.map(lambda leaf: 10 * leaf, params["embedding"])
    x = jax.random.randint(jax.random.key(2), (2, 16), 0, 20)
    arch = Architecture.hard(supernet.space, supernet.largest())
    single = jax.jit(supernet.apply)(params, None, arch, x).logits
    half = jax.jit(supernet.with_precision("bfloat16").apply)(params, None, arch, x)
    assert 0 < jnp.abs(half.logits - single).max() < 0.05 * jnp.abs(single).max()


@pytest.mark.parametrize("hard", [True, False])
def test_no_logit_depends_on_a_later_token(hard):
    params = jax.jit(TINY.init)(jax.random.key(1))
    rows = TINY.space.valid / TINY.space.valid.sum(1, keepdims=True)
    arch = Architecture.soft(TINY.space, jnp.asarray(rows, jnp.float32))
    if hard:
        arch = Architecture.hard(TINY.space, TINY.largest())
    # Each row changes one token: places before it do not notice, from it on they do.
    x = np.tile(np.asarray([0, 1, 2, 3], np.int32), (5, 1))
    x[1:] += np.eye(4, dtype=np.int32)
    logits = np.asarray(jax.jit(TINY.apply)(params, None, arch, jnp.asarray(x)).logits)
    differs = np.abs(logits[1:] - logits[:1]).max(-1) > 0
    np.testing.assert_array_equal(differs, np.triu(np.ones((4, 4), bool)))


def test_shorter_examples_give_what_longer_ones_begin_with():
    params = jax.jit(TINY.init)(jax.random.key(1))
    x = np.asarray([[4, 0, 2, 1]], np.int32)
    arch = Architecture.hard(TINY.space, BLOCKS)
    whole = jax.jit(TINY.apply)(params, None, arch, x).logits
    short = jax.jit(TINY.apply)(params, None, arch, x[:, :3]).logits
    np.testing.assert_allclose(short, whole[:, :3], rtol=1e-5, atol=1e-7)
    subnet = standalone.functional(TINY.subnet(BLOCKS))
    weights = TINY.extract(params, None, BLOCKS)["params"]
    alone = jax.jit(subnet.infer)(weights, {}, x[:, :3])
    np.testing.assert_allclose(short, alone, rtol=1e-5, atol=1e-7)


def test_a_tied_table_counts_once_and_its_scores_have_macs():
    tied, untied = TINY, dataclasses.replace(TINY, tied=False)
    genotypes = np.stack([tied.smallest(), tied.largest()])
    ours, theirs = tied.costs(genotypes), untied.costs(genotypes)
    np.testing.assert_array_equal(ours["macs"], theirs["macs"])
    # A kernel of the width by 5 tokens, and a bias.
    np.testing.assert_array_equal(theirs["params"] - ours["params"], [4 * 5 + 5, 35])


def test_initial_losses_are_near_those_of_a_uniform_guess():
    supernet = LanguageModelSupernet(input_shape=(16,), num_classes=64)
    params = jax.jit(supernet.init)(jax.random.key(0))
    x = jax.random.randint(jax.random.key(1), (4, 16), 0, 64)
    arch = Architecture.hard(supernet.space, supernet.largest())
    logits = jax.jit(supernet.apply)(params, None, arch, x).logits
    chances = jax.nn.log_softmax(logits)
    assert jnp.abs(chances + jnp.log(64.0)).mean() < 0.3


def test_published_settings_are_millions_of_parameters():
    # Characters of Shakespeare: the largest is nanoGPT's 10.65 million, here with
    # norms' and projections' biases, 256 places, and six heads of 64.
    supernet = LanguageModelSupernet(
        PRESETS["gpt_shakespeare"], head_size=64, input_shape=(256,), num_classes=65
    )
    params = supernet.costs(supernet.largest()[None])["params"][0]
    assert 10.6e6 < params < 10.9e6


def test_paths_of_groups_take_other_kinds_of_weight():
    class Kind:
        """Matches, and is never asked for weights."""

        def check(self, space):
            del space

    rules = (("blocks/mlp", Kind()), ("embedding", Kind()))
    weighted = WeightedSupernet(TINY, rules)
    assert weighted.input_dtype == "int32"
    assert weighted.layers(("blocks", "mlp")) == 3
    params = jax.eval_shape(TINY.init, jax.random.key(0))
    assert params.keys() == {"blocks", "embedding", "norm"}
    assert params["blocks"]["mlp"].keys() == {"up", "down"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_size": 0}, "head_size: found 0"),
        ({"num_classes": 1}, "num_classes: found 1"),
        ({"norm": "batch"}, "norm: found 'batch'; allowed are layer, rms"),
        ({"input_shape": (8, 8, 3)}, r"found \(8, 8, 3\).*the number of tokens"),
        ({"input_shape": (0,)}, r"found \(0,\)"),
        (
            {"space": language_model("s", (4,), (0, 1), (1,), (1.0,))},
            "depth of 's'",
        ),
        ({"space": language_model("s", (4,), (1,), (1,), (1.0, 1.1))}, r"\[4, 4\]"),
    ],
)
def test_what_makes_no_network_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


def test_images_are_refused():
    with pytest.raises(ValueError, match="the number of tokens of an example"):
        TINY.with_data((8, 8, 3), 10)

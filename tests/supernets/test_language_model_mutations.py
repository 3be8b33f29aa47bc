"""Defects of published language-model supernets, which the checks must find.

They are those of the released code of Sukthanker, Krishnakumar, Safari and Hutter,
"Weight Entanglement Meets Gradient-Based Neural Architecture Search", 2024, arXiv
2312.10440, and a few that lie near them. Each is put in on purpose.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import prefix
from supernets.language_model import TINY
from supernets.layers import attention, embedding, norm
from tests.supernets import contract, test_language_model
from tests.supernets.layers import test_attention, test_embedding, test_norm
from tests.supernets.layers.conftest import Checks

# They test the tests, each defect a network of its own to compile.
pytestmark = pytest.mark.slow

RMS = dataclasses.replace(TINY, norm="rms", tied=False)
# Width 4 of 6, depth 2 of 3, and blocks that differ: one head of two in the first.
BLOCKS = np.asarray([0, 1, 0, 1, 1, 0, 0, 0], np.int32)
# All blocks, so that every decision is live.
DEEP = np.asarray([0, 2, 0, 1, 1, 0, 0, 1], np.int32)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def holds_no_more(check, *args):
    with pytest.raises(AssertionError):
        check(*args)


def after_projection(patch, change):
    """Change what the query (0), the key (1) and the value (2) are, in this order.

    Args:
      patch: pytest's.
      change: `(y [B * N, H * h], which, heads, choices, width) -> y`.
    """
    project, which = attention.ElasticAttention._project, itertools.cycle(range(3))

    def changed(projection, x, choices):
        y = project(projection, x, choices)
        heads = projection.kernel.get_metadata()["spec"].axes[1]
        return change(y, next(which), heads, choices, x.shape[1])

    patch.setattr(attention.ElasticAttention, "_project", staticmethod(changed))


def take_the_first_rows_of_packed_projections(patch):
    # One tensor of queries, keys and values in a row: n heads are its first 3n.
    def packed(y, which, heads, choices, width):
        del width
        member = prefix(3 * heads.member.sum(1), 3 * heads.size)
        mask = choices["heads"].mask(member).reshape(3, heads.size)[which]
        return y * jnp.repeat(mask, y.shape[1] // heads.size)[None].astype(y.dtype)

    after_projection(patch, packed)


def interleave_heads(patch):
    def interleaved(y, which, heads, choices, width):
        del which, choices, width
        entries = y.reshape(len(y), -1, heads.size)
        return entries.swapaxes(1, 2).reshape(y.shape)

    after_projection(patch, interleaved)


def scale_by_the_full_width(patch):
    # By sqrt(E / n), where a head has another size.
    def scaled(y, which, heads, choices, width):
        del choices
        size = y.shape[1] // heads.size
        return y * (size * heads.size / width) ** 0.5 if which == 0 else y

    after_projection(patch, scaled)


def see_later_tokens(patch):
    def everything(query, key, value, *, causal=False):
        del causal
        return attend(query, key, value)

    patch.setattr(attention, "attend", everything)


attend = attention.attend


def normalise_the_full_width(patch):
    for kind in (norm.ElasticLayerNorm, norm.ElasticRMSNorm):

        def full(self, x, members, weights, own=kind._mixture):
            return own(self, x, jnp.ones_like(members), weights)

        patch.setattr(kind, "_mixture", full)


def read_the_slice_without_its_weight_when_hard(patch):
    masked = embedding.masked

    def constant(choice):
        if choice.index is None:
            return choice
        weights = jax.lax.stop_gradient(choice.weights)
        return dataclasses.replace(choice, weights=weights)

    def unweighted(tensor, axes, choices):
        if tensor.ndim == 3:  # rows that were read
            choices = {name: constant(choice) for name, choice in choices.items()}
        return masked(tensor, axes, choices)

    patch.setattr(embedding, "masked", unweighted)


def weigh_scores_twice(patch):
    masked = embedding.masked

    def twice(tensor, axes, choices):
        once = masked(tensor, axes, choices)
        return once if tensor.ndim == 3 else masked(once, axes, choices)

    patch.setattr(embedding, "masked", twice)


def score_without_a_mask(patch):
    masked = embedding.masked

    def unmasked(tensor, axes, choices):
        return masked(tensor, axes, choices) if tensor.ndim == 3 else tensor

    patch.setattr(embedding, "masked", unmasked)


@pytest.mark.parametrize(
    ("defect", "supernet"),
    [
        (take_the_first_rows_of_packed_projections, TINY),
        (interleave_heads, TINY),
        (scale_by_the_full_width, TINY),
        (see_later_tokens, TINY),
        (normalise_the_full_width, RMS),
    ],
)
def test_a_defect_makes_another_network_than_the_subnet(defect, supernet, monkeypatch):
    defect(monkeypatch)
    case = contract.Case(supernet)
    holds_no_more(contract.check_inference_equals_subnet, case, BLOCKS, None)


def test_a_weight_that_is_not_read_with_the_slice_has_no_gradient(monkeypatch):
    read_the_slice_without_its_weight_when_hard(monkeypatch)
    case = contract.Case(TINY)
    holds_no_more(contract.check_gradients_of_weights, case, [DEEP])


def test_attention_to_later_tokens_is_seen_in_the_logits(monkeypatch):
    see_later_tokens(monkeypatch)
    check = test_language_model.test_no_logit_depends_on_a_later_token
    holds_no_more(check, True)


@pytest.mark.parametrize(
    ("defect", "check", "args"),
    [
        (
            see_later_tokens,
            test_attention.test_later_tokens_have_no_gradient_when_causal,
            [False],
        ),
        (
            weigh_scores_twice,
            test_embedding.test_a_tied_head_scores_by_the_sum_of_padded_slices,
            [],
        ),
        (
            score_without_a_mask,
            test_embedding.test_a_tied_head_scores_by_the_sum_of_padded_slices,
            [],
        ),
        (
            read_the_slice_without_its_weight_when_hard,
            test_embedding.test_reading_is_the_sum_of_padded_slices,
            [],
        ),
        (
            normalise_the_full_width,
            test_norm.test_rms_norm_is_the_mixture_over_widths,
            [],
        ),
    ],
)
def test_wrong_superpositions_differ_from_the_sum(defect, check, args, monkeypatch):
    defect(monkeypatch)
    holds_no_more(check, *args, Checks)


@pytest.mark.slow
def test_without_a_defect_the_checks_hold():
    for supernet in (TINY, RMS):
        case = contract.Case(supernet)
        contract.check_inference_equals_subnet(case, BLOCKS, None)
    contract.check_gradients_of_weights(contract.Case(TINY), [DEEP])
    # The harness of the defects changes nothing by itself.
    with pytest.MonkeyPatch.context() as patch:
        after_projection(patch, lambda y, *_: y)
        case = contract.Case(TINY)
        contract.check_inference_equals_subnet(case, BLOCKS, None)

"""Defects that were found in published code, which the checks must find.

Most are in the released code of Sukthanker, Krishnakumar, Safari and Hutter, "Weight
Entanglement Meets Gradient-Based NAS", 2024, arXiv 2312.10440, or in what it builds on.
Each is put in on purpose; the check that stands for it must then fail.
"""

import dataclasses
import importlib
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Architecture, Choice
from supernets import NASBench201Supernet, VisionTransformerSupernet, axis, elastic
from supernets.blocks import transformer
from supernets.layers import attention, linear, norm
from supernets.layers.stacking import scan_layers
from tests.supernets import contract
from tests.supernets.layers import test_attention, test_linear, test_norm
from tests.supernets.layers.conftest import Checks

# They test the tests, each defect a network of its own to compile.
pytestmark = pytest.mark.slow

vision_transformer = importlib.import_module(VisionTransformerSupernet.__module__)
nasbench201 = importlib.import_module(NASBench201Supernet.__module__)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def case_of(module, variant=None):
    # A case of its own: what was compiled or computed before knows no defect.
    tiny = module.TINY if variant is None else module.TINY_VARIANTS[variant]
    return contract.Case(tiny)


def holds_no_more(check, *args):
    with pytest.raises(AssertionError):
        check(*args)


# --------------------------------------------------------------- unordered operations
def swap_convolutions(patch):
    select = Choice.select

    def swapped(self, branches, *operands, **kwargs):
        order = [0, 1, 3, 2, 4] if len(branches) == 5 else [0]
        return select(self, [branches[k] for k in order], *operands, **kwargs)

    patch.setattr(Choice, "select", swapped)


def drop_the_weight_when_hard(patch):
    select = Choice.select

    def dropped(self, branches, *operands, **kwargs):
        if self.index is not None:
            weights = jax.lax.stop_gradient(self.weights)
            self = Choice(weights, self.index, self.names, self.options)
        return select(self, branches, *operands, **kwargs)

    patch.setattr(Choice, "select", dropped)


def forget_the_scale(patch):
    call = norm.ElasticBatchNorm.__call__

    def unscaled(self, *args):
        scale, self.scale = self.scale, None
        result = call(self, *args)
        self.scale = scale
        return result

    patch.setattr(norm.ElasticBatchNorm, "__call__", unscaled)


# A 3x3 convolution, a pooling and a 1x1 convolution where the tiny cell varies.
CELL = np.asarray([3, 0, 4, 0, 0, 2], np.int32)


@pytest.mark.parametrize(
    "defect",
    [swap_convolutions, pytest.param(forget_the_scale, marks=pytest.mark.slow)],
)
def test_wrong_operations_differ_from_the_subnet(defect, monkeypatch):
    defect(monkeypatch)
    holds_no_more(contract.check_equals_subnet, case_of(nasbench201), CELL)


def swap_kernels(patch):
    group = Choice.group

    def swapped(self, groups):
        outer, inner = group(self, groups)
        order = [dataclasses.replace(c, weights=c.weights[::-1]) for c in inner]
        return outer, tuple(order)

    patch.setattr(Choice, "group", swapped)


# A 3x3 convolution and then one of 1x1, where the tiny entangled cell varies.
ENTANGLED = np.asarray([3, 0, 0, 0, 2, 0], np.int32)


def test_swapped_kernels_differ_from_the_one_hot_of_the_subnet(monkeypatch):
    swap_kernels(monkeypatch)
    case = case_of(nasbench201, "entangled")
    found = case.infer(case.params, None, case.one_hot(ENTANGLED), case.x)
    expected = case.infer_subnet(ENTANGLED, None)
    holds_no_more(contract.assert_close, found, expected, 1e-2)


@pytest.mark.slow
def test_a_weight_that_is_dropped_has_no_gradient(monkeypatch):
    drop_the_weight_when_hard(monkeypatch)
    case = case_of(nasbench201)
    holds_no_more(contract.check_gradients_of_weights, case, [CELL], ("none",))


# ------------------------------------------------------------------ entangled weights
def normalise_the_full_width(patch):
    mixture = norm.ElasticLayerNorm._mixture

    def full(self, x, members, weights):
        return mixture(self, x, jnp.ones_like(members), weights)

    patch.setattr(norm.ElasticLayerNorm, "_mixture", full)


def mask_product(axes, choices):
    result = None
    for d, a in enumerate(axes):
        if a is not None:
            shape = [1] * len(axes)
            shape[d] = a.size
            mask = mask_of((a,), choices).reshape(shape)
            result = mask if result is None else result * mask
    return result


mask_of = axis.mask_of


def multiply_separate_masks(patch):
    patch.setattr(axis, "mask_of", mask_product)
    patch.setattr(elastic, "mask_of", mask_product)


def leave_the_bias(patch):
    masked = axis.masked

    def kernels_only(tensor, axes, choices):
        return tensor if tensor.ndim == 1 else masked(tensor, axes, choices)

    patch.setattr(linear, "masked", kernels_only)


def weigh_heads_again(patch):
    def project(projection, x, choices):
        kernel = attention._masked(projection.kernel, choices)
        bias = attention._masked(projection.bias, choices)
        flat = kernel.reshape(kernel.shape[0], math.prod(kernel.shape[1:]))
        return x @ flat + bias.reshape(1, flat.shape[1])

    patch.setattr(attention.ElasticAttention, "_project", staticmethod(project))


def run_dead_blocks(patch):
    def to_the_end(module, body, x, depth, mode, xs=None):
        del depth
        return scan_layers(module, body, x, mode, xs)

    patch.setattr(transformer, "scan_to_depth", to_the_end)


def read_one_block_for_all(patch):
    stack = Architecture.stack

    def first(self, names):
        return stack(self, [names[0]] * len(names))

    patch.setattr(Architecture, "stack", first)


def call_dead_blocks_active(patch):
    scopes_of = elastic.ElasticSupernet._scopes_of

    def always(self, path):
        length, names, _ = scopes_of(self, path)
        return length, names, []

    patch.setattr(elastic.ElasticSupernet, "_scopes_of", always)


# Width 4 of 6, depth 2 of 3, and blocks that differ.
BLOCKS = np.asarray([0, 1, 0, 1, 1, 0, 0, 0], np.int32)


@pytest.mark.parametrize(
    "defect", [normalise_the_full_width, run_dead_blocks, read_one_block_for_all]
)
def test_wrong_slices_differ_from_the_subnet(defect, monkeypatch):
    defect(monkeypatch)
    holds_no_more(contract.check_equals_subnet, case_of(vision_transformer), BLOCKS)


def test_a_depth_that_is_not_read_does_not_matter(monkeypatch):
    run_dead_blocks(monkeypatch)
    case = case_of(vision_transformer)
    near = case.space.neighbours(BLOCKS)
    holds_no_more(contract.check_every_decision_matters, case, near)


def test_dead_blocks_that_count_disagree_with_the_weights(monkeypatch):
    call_dead_blocks_active(monkeypatch)
    holds_no_more(contract.check_counts, case_of(vision_transformer), BLOCKS)


def test_separate_masks_disagree_with_the_expected_cost(monkeypatch):
    multiply_separate_masks(monkeypatch)
    case = case_of(vision_transformer)
    holds_no_more(contract.check_soft_cost_is_the_expectation, case, 0)


# ----------------------------------------------------------- what only soft can tell
@pytest.mark.parametrize(
    ("defect", "check", "args"),
    [
        (
            multiply_separate_masks,
            test_linear.test_linear_is_the_sum_of_its_slices,
            ["up"],
        ),
        (leave_the_bias, test_linear.test_linear_is_the_sum_of_its_slices, ["tied"]),
        (
            weigh_heads_again,
            test_attention.test_heads_are_weighed_once_and_widths_superposed,
            [False],
        ),
        (
            normalise_the_full_width,
            test_norm.test_layer_norm_is_the_mixture_over_widths,
            [],
        ),
    ],
)
def test_wrong_superpositions_differ_from_the_sum(defect, check, args, monkeypatch):
    defect(monkeypatch)
    holds_no_more(check, *args, Checks)


@pytest.mark.slow
def test_without_a_defect_the_checks_hold():
    vit, cells = case_of(vision_transformer), case_of(nasbench201)
    contract.check_equals_subnet(cells, CELL)
    contract.check_equals_subnet(vit, BLOCKS)
    contract.check_gradients_of_weights(cells, [CELL], ("none",))
    contract.check_counts(vit, BLOCKS)
    contract.check_soft_cost_is_the_expectation(vit, 0)
    contract.check_every_decision_matters(vit, vit.space.neighbours(BLOCKS))

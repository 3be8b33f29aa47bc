"""Defects of mobile networks that the checks must find.

Each is put in on purpose, and a check that stands for it must then fail. Cutting a
kernel from its corner is in released code of Sukthanker, Krishnakumar, Sharma and
Hutter 2024, arXiv 2312.10440 (an earlier form of its convolutions).
"""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search_spaces import Choice, prefix
from supernets import MobileSupernet, axis, elastic
from supernets.layers import convolution, depthwise, norm, squeeze_excitation
from supernets.layers.depth import scan_to_depth
from tests.supernets import contract
from tests.supernets.layers import (
    test_convolution,
    test_depthwise,
    test_norm,
    test_squeeze_excitation,
)
from tests.supernets.layers.conftest import Checks

# They test the tests, each defect a network of its own to compile.
pytestmark = pytest.mark.slow

mobile = importlib.import_module(MobileSupernet.__module__)

# Small widths and kernels, and a depth that ends before the stacked blocks.
GENOTYPE = np.asarray([0, 0, 0, 1, 0, 0, 0, 1, 0, 0], np.int32)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def equals_its_subnet():
    # A case of its own: what was compiled or computed before knows no defect.
    case = contract.Case(mobile.TINY)
    contract.check_inference_equals_subnet(case, GENOTYPE, case.random_stats)


def holds_no_more(check, *args):
    with pytest.raises(AssertionError):
        check(*args)


def cut_the_corner(patch):
    """Take, and mask, the first rows and columns of a kernel."""

    def corner(names, num_options, sizes):
        member = prefix(sizes, max(sizes))
        return axis.Axis(tuple(names), tuple(num_options), member)

    patch.setattr(axis.Axis, "centre", corner)


def extract_the_corner(patch):
    rows = elastic.active_rows

    def first(own, taken):
        found = rows(own, taken)
        return found - found[0] if "kernel" in own.names[0] and len(found) else found

    patch.setattr(elastic, "active_rows", first)


def weigh_by_all_channels(patch):
    """Leave the maps of squeeze-and-excitation at their full width."""
    patch.setattr(squeeze_excitation, "masked", lambda tensor, axes, choices: tensor)


def shift_all_channels(patch):
    call = norm.ElasticBatchNorm.__call__

    def unmasked(self, x, choices, mode):
        bias, self.bias = self.bias, None
        y = call(self, x, choices, mode)
        self.bias = bias
        return y + bias[...][None, None, None]

    patch.setattr(norm.ElasticBatchNorm, "__call__", unmasked)


def mask_either_side_alone(patch):
    """Weigh a tap by the product over both sides, not by the rings."""

    def product(tensor, axes, choices):
        for d, one in enumerate(axes):
            if one is not None:
                shape = [1] * len(axes)
                shape[d] = one.size
                mask = axis.mask_of((one,), choices)
                tensor = tensor * mask.reshape(shape).astype(tensor.dtype)
        return tensor

    for module in (convolution, depthwise, squeeze_excitation):
        patch.setattr(module, "masked", product)


def run_dead_blocks(patch):
    """Run a stage to its greatest depth."""

    def to_the_end(module, body, x, depth, *args, before):
        longer = Choice(depth.weights, depth.index, depth.names, (2, 2))
        return scan_to_depth(module, body, x, longer, *args, before=before)

    patch.setattr(mobile, "scan_to_depth", to_the_end)


def skip_the_stride(patch):
    """Pad as much as an even stride would need, as some frameworks' SAME does."""
    convolve = depthwise.depthwise2d

    def same(x, kernel, stride=1):
        if stride == 1:
            return convolve(x, kernel)
        return convolve(jnp.roll(x, (-1, -1), (1, 2)), kernel, stride)

    patch.setattr(depthwise, "depthwise2d", same)


@pytest.mark.parametrize(
    "defect",
    [
        extract_the_corner,
        weigh_by_all_channels,
        skip_the_stride,
        run_dead_blocks,
    ],
)
def test_wrong_parts_differ_from_the_subnet(defect, monkeypatch):
    defect(monkeypatch)
    holds_no_more(equals_its_subnet)


@pytest.mark.parametrize(
    ("defect", "check", "args"),
    [
        (
            cut_the_corner,
            test_convolution.test_kernel_sizes_are_the_sum_of_their_centre_crops,
            (1, (5, 4)),
        ),
        (
            mask_either_side_alone,
            test_depthwise.test_channels_and_sizes_are_the_sum_of_their_slices,
            (1,),
        ),
        (
            mask_either_side_alone,
            test_squeeze_excitation.test_maps_and_biases_are_the_sums_of_their_slices,
            (),
        ),
        (
            shift_all_channels,
            test_norm.test_batch_norm_scales_what_each_width_has,
            (True,),
        ),
    ],
)
def test_wrong_superpositions_differ_from_the_sum(defect, check, args, monkeypatch):
    defect(monkeypatch)
    holds_no_more(check, *args, Checks)


@pytest.mark.slow
def test_without_a_defect_the_check_holds():
    equals_its_subnet()

"""The contract, over every supernet that is discovered."""

import functools

import numpy as np
import pytest

import supernets
from search_spaces.nasbench201 import EDGES
from tests.supernets import contract

OTHER_CELLS = ("NASBench201Supernet-entangled", "TwoNodeCellSupernet")
# Cells of other forms, whose random genotypes are held to their subnets all the same.
quick = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in OTHER_CELLS))
        for name in sorted(supernets.discover_tiny())
    ],
)
# Options that give zeros whatever they are given.
INERT = {"NASBench201Supernet": ("none",)}


def cell_signature(operations, entangled=False):
    """What a NAS-Bench-201 cell computes, with the weights of its edges.

    A node is a sum of terms: the cell's input, a convolution (its edge, its kind and
    the sum that it is given), and poolings of these. Pooling is linear, and leaves the
    constant image that a convolution makes of zeros. A cell that no longer sees its
    input gives a constant, which the last norm takes away. Entangled convolutions share
    the bias that they make of zeros.
    """
    nodes = {0: (("input",),), 1: (), 2: (), 3: ()}
    for (source, target), operation in zip(EDGES, operations, strict=True):
        inputs = nodes[source]
        if operation == "none":
            continue
        if operation == "avg_pool_3x3":
            inputs = tuple(t if t[-1] == () else ("pool", t) for t in inputs)
        elif operation != "skip_connect":
            kind = operation if inputs or not entangled else "convolution"
            inputs = ((kind, source, target, inputs),)
        nodes[target] = tuple(sorted(nodes[target] + inputs, key=repr))
    return nodes[3] if "input" in repr(nodes[3]) else ()


SIGNATURES = {
    "NASBench201Supernet": cell_signature,
    "NASBench201Supernet-entangled": functools.partial(cell_signature, entangled=True),
}


@quick
def test_every_option_of_every_decision_equals_its_subnet(case):
    for genotype in contract.every_option(case.space):
        contract.check_equals_subnet(case, genotype)


def test_random_genotypes_equal_their_subnets(case):
    for genotype in contract.random_genotypes(case.space, 1, seed=5):
        contract.check_equals_subnet(case, genotype)


@pytest.mark.slow
def test_many_genotypes_equal_their_subnets(case):
    for genotype in contract.random_genotypes(case.space, 200, seed=6):
        contract.check_equals_subnet(case, genotype)


@pytest.mark.slow
def test_many_genotypes_equal_their_subnets_in_float32(case32):
    for genotype in contract.random_genotypes(case32.space, 30, seed=6):
        contract.check_equals_subnet(case32, genotype)


def test_inference_by_given_statistics_equals_the_subnet(case):
    # Without statistics, inference is what the tests above run.
    if stats := case.random_stats:
        for genotype in contract.random_genotypes(case.space, 2, seed=7):
            contract.check_inference_equals_subnet(case, genotype, stats)


@pytest.mark.slow
def test_inference_of_every_option_equals_the_subnet(case):
    if stats := case.random_stats:
        for genotype in contract.every_option(case.space):
            contract.check_inference_equals_subnet(case, genotype, stats)


@quick
def test_calibration_is_the_mean_over_batches(case32):
    if case32.random_stats:
        for genotype in contract.random_genotypes(case32.space, 1, seed=8):
            contract.check_calibration(case32, genotype)


def test_float32_computes_what_float64_does(case, case32):
    for genotype in contract.random_genotypes(case.space, 10, seed=9):
        contract.check_float32(case32, case, genotype)


def test_hard_is_one_hot_soft(case):
    genotypes = contract.random_genotypes(case.space, 6)
    for genotype in [*contract.every_option(case.space), *genotypes]:
        contract.check_hard_is_one_hot_soft(case, genotype)


def test_hard_differentiates_the_chosen_weights_and_soft_all(case, name):
    genotypes = contract.every_option(case.space)
    contract.check_gradients_of_weights(
        case, genotypes, INERT.get(name.partition("-")[0], ())
    )


def test_every_decision_matters(case, name):
    genotypes = contract.random_genotypes(case.space, 100)
    near = [case.space.neighbours(genotype) for genotype in genotypes[:4]]
    signature = SIGNATURES.get(name, tuple)
    contract.check_every_decision_matters(
        case,
        np.concatenate([genotypes, *near]),
        lambda genotype: signature(case.space.decode(genotype).values()),
    )


def test_cost_activity_weights_and_program_agree(case32):
    genotypes = contract.random_genotypes(case32.space, 3)
    for genotype in [*contract.every_option(case32.space), *genotypes]:
        contract.check_counts(case32, genotype)


@pytest.mark.parametrize("seed", range(3))
def test_soft_cost_is_the_expectation(case32, seed):
    contract.check_soft_cost_is_the_expectation(case32, seed)


def test_largest_and_smallest_are_the_extremes(case32):
    contract.check_extremes(case32, contract.random_genotypes(case32.space, 2000))


@pytest.mark.slow
def test_second_derivative_of_a_hard_architecture(case):
    genotype = contract.every_option(case.space)[0]
    contract.check_second_derivative(case, case.hard(genotype))


@pytest.mark.slow
def test_second_derivative_of_a_soft_architecture(case):
    contract.check_second_derivative(case, case.random_soft(0))


@pytest.mark.parametrize("num", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_genotypes_trace_once(case32, num):
    contract.check_traces_once(case32, contract.random_genotypes(case32.space, num))


@pytest.mark.slow
def test_a_copy_fitted_to_data_keeps_the_contract(case32):
    own, num = case32.supernet.input_shape, case32.supernet.num_classes
    shape = (4 * 3, 4 * 2, 1) if len(own) == 3 else (6,)
    fitted = case32.supernet.with_data(shape, num + 2)
    other = contract.Case(fitted, "float32")
    assert fitted.input_shape == shape
    assert fitted.num_classes == num + 2
    assert fitted.with_data(own, num) == case32.supernet
    genotype = contract.every_option(other.space)[0]
    stats = other.random_stats
    contract.check_inference_equals_subnet(other, genotype, stats or None)
    contract.check_counts(other, genotype)

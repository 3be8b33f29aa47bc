"""The 64 children: their number, their order, and what is refused."""

import itertools

import numpy as np
import pytest

import search_spaces
from search_spaces import SpaceError
from search_spaces.two_node_cell import EDGES, OPERATIONS, edge_name, two_node_cell


def test_there_are_64_children_in_the_order_of_the_released_code():
    space = search_spaces.discover()["two_node_cell"]
    assert space.size == space.raw_size == 64
    expected = list(itertools.product(range(4), repeat=3))
    np.testing.assert_array_equal(space.enumerate(), expected)


def test_every_node_is_given_the_input_and_all_nodes_before():
    assert {*EDGES} == {(i, j) for j in (1, 2) for i in range(j)}
    assert two_node_cell().names == tuple(edge_name(*edge) for edge in EDGES)


def test_an_edge_may_have_fewer_operations():
    some = {"edge_0_2": OPERATIONS[1:3], "edge_1_2": OPERATIONS[:1]}
    space = two_node_cell(some)
    assert space.size == 4 * 2 * 1
    assert all(child["edge_0_2"] in some["edge_0_2"] for child in children(space))
    assert {child["edge_1_2"] for child in children(space)} == {"max_pool_3x3"}


def children(space):
    return [space.decode(genotype) for genotype in space.enumerate()]


@pytest.mark.parametrize(
    "operations", [{"edge_1_0": OPERATIONS}, {"edge_0_1": ("skip_connect",)}]
)
def test_unknown_edges_and_operations_are_refused(operations):
    with pytest.raises(SpaceError, match=r"edges are .*edge_0_1.*max_pool_3x3"):
        two_node_cell(operations)

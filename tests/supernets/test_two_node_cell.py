"""What the contract does not say of the two-node cells: their sizes, and refusals."""

import jax
import pytest

from search_spaces.two_node_cell import two_node_cell
from supernets import TwoNodeCellSupernet
from supernets.paths import flatten
from supernets.two_node_cell import TINY
from tests.supernets import contract

C, PIXELS = 16, 32 * 32


def operation(name: str) -> int:
    """Weights of one operation, which all of the image's pixels are multiplied by."""
    size, times = {
        "max_pool_3x3": (0, 0),
        "sep_conv_3x3": (9, 2),
        "sep_conv_5x5": (25, 2),
        "dil_conv_3x3": (9, 1),
    }[name]
    return times * (size * C + C * C)


def test_costs_are_those_of_the_published_cell():
    supernet = TwoNodeCellSupernet()
    children = supernet.space.enumerate()
    costs = supernet.costs(children)
    stem = 9 * 3 * 3 * C + 9 * 3 * C * C
    for i, child in enumerate(children):
        edges = sum(map(operation, supernet.space.decode(child).values()))
        inside = stem + 4 * (C * C + edges)
        assert costs["macs"][i] == PIXELS * inside + 10 * C
        assert costs["params"][i] == inside + 2 * (3 * C + C) + 10 * C + 10


def test_nothing_inside_of_a_cell_is_scaled():
    """Only kernels are trained there, and every operation ends in a norm."""
    network = TINY.init(jax.random.key(0))
    inside = {path[-1] for path in flatten(network) if path[0] == "cells"}
    assert inside == {"kernel"}


@pytest.mark.parametrize("field", ["channels", "cells", "num_classes"])
def test_sizes_that_make_no_network_are_refused(field):
    with pytest.raises(ValueError, match=f"{field}: found 0; at least"):
        TwoNodeCellSupernet(**{field: 0})


@pytest.mark.slow
def test_all_children_equal_their_subnets():
    supernet = TwoNodeCellSupernet(
        two_node_cell(), channels=2, cells=1, input_shape=(5, 6, 2), num_classes=3
    )
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        case = contract.Case(supernet)
        for child in case.space.enumerate():
            contract.check_equals_subnet(case, child)

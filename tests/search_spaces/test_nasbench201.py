"""NAS-Bench-201's names, indices and isomorphism classes, against what is published."""

import itertools

import numpy as np
import pytest

from search_spaces import SpaceError
from search_spaces.nasbench201 import (
    EDGES,
    OPERATIONS,
    cells,
    from_string,
    index,
    isomorphism_classes,
    live_edges,
    nasbench201,
    to_string,
)

# Index, string and class as the benchmark has them.
KNOWN = (
    (
        0,
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
        "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    ),
    (
        1,
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|"
        "+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
    ),
    (
        5374,
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|"
        "+|skip_connect~0|none~1|nor_conv_3x3~2|",
    ),
    (
        10676,
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_1x1~1|"
        "+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    ),
    (
        15624,
        "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|none~0|nor_conv_1x1~1|nor_conv_1x1~2|",
    ),
)


def operations(genotype) -> list[str]:
    return [OPERATIONS[o] for o in genotype]


@pytest.mark.parametrize(("number", "text"), KNOWN)
def test_known_cells_have_their_index_and_string(number, text):
    cell = cells()[number]
    assert to_string(operations(cell)) == text
    assert from_string(text) == tuple(operations(cell))
    assert index(cell) == number


def test_there_are_15625_cells_and_their_indices_are_a_permutation():
    space = nasbench201()
    assert space.size == space.raw_size == len(cells()) == 15_625
    np.testing.assert_array_equal(index(cells()), np.arange(15_625))
    np.testing.assert_array_equal(np.unique(cells(), axis=0), space.enumerate())


def test_strings_are_read_back():
    for cell in cells()[::97]:
        assert from_string(to_string(operations(cell))) == tuple(operations(cell))


@pytest.mark.parametrize(
    "text",
    ["", "|none~0|", KNOWN[0][1].replace("avg_pool", "max_pool"), KNOWN[0][1][1:]],
)
def test_what_is_no_cell_is_refused(text):
    with pytest.raises(SpaceError, match="no NAS-Bench-201 cell"):
        from_string(text)


def test_there_are_6466_classes_of_isomorphic_cells():
    classes = isomorphism_classes()
    assert len(np.unique(classes)) == 6_466
    # Each is named by its first member.
    np.testing.assert_array_equal(classes[classes], classes)
    assert (classes <= np.arange(15_625)).all()


def test_cells_are_isomorphic_that_skip_or_miss_the_same_nodes():
    def class_of(*cell: str) -> int:
        numbers = [OPERATIONS.index(operation) for operation in cell]
        return int(isomorphism_classes()[index(numbers)])

    none, skip, conv, pool = "none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3"
    # One convolution from input to output, straight or after a skip to a node.
    straight = class_of(none, none, none, conv, none, none)
    assert class_of(skip, none, none, none, conv, none) == straight
    assert class_of(none, none, none, pool, none, none) != straight
    # What follows a node that nothing reaches changes nothing.
    assert class_of(none, none, none, conv, conv, none) == straight


def test_a_fixed_edge_has_one_option():
    space = nasbench201(fixed={"edge_0_1": "skip_connect"})
    assert space.size == 5**5
    assert space.decode([0] * 6)["edge_0_1"] == "skip_connect"
    for wrong in ({"edge_9_9": "none"}, {"edge_0_1": "max_pool"}):
        with pytest.raises(SpaceError, match="cannot fix"):
            nasbench201(fixed=wrong)


def test_cells_and_classes_are_those_of_the_published_tables(nas_data):
    folder = nas_data / "nasbench201"
    if not (folder / "nb201_accuracy.npz").is_file():
        pytest.skip(f"no NAS-Bench-201 tables in {folder}")
    with np.load(folder / "nb201_accuracy.npz") as table:
        np.testing.assert_array_equal(cells(), table["ops"])
        strings = [to_string(operations(cell)).encode() for cell in cells()]
        np.testing.assert_array_equal(np.asarray(strings), table["arch_str"])
    with np.load(folder / "nb201_isomorph.npz") as table:
        np.testing.assert_array_equal(isomorphism_classes(), table["iso_class"])


def test_live_edges_are_those_on_a_path_of_edges_that_pass():
    def paths(cell):
        """Walk every path from node 0 to node 3, and note its edges."""
        live = set()
        for route in ((0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)):
            edges = {EDGES.index(step) for step in itertools.pairwise(route)}
            if all(OPERATIONS[cell[e]] != "none" for e in edges):
                live |= edges
        return [e in live for e in range(len(EDGES))]

    all_cells = cells()
    expected = np.asarray([paths(cell) for cell in all_cells[::7]])
    assert (live_edges(all_cells[::7]) == expected).all()
    assert live_edges(all_cells[3]).shape == (6,)

"""What is no space or no genotype is refused by one message that says what to do."""

import numpy as np
import pytest

from search_spaces import Decision, SearchSpace, SpaceError

SPACE = SearchSpace(
    "toy",
    (
        Decision("depth", (1, 2)),
        Decision("width_2", (8, 16), requires=("depth", (2,))),
        Decision("operation", ("conv_3x3", "conv_1x1", "skip")),
    ),
)

DECISIONS = {
    "needs a name": lambda: Decision("", (1,)),
    "give at least 1": lambda: Decision("d", ()),
    "of type list": lambda: Decision("d", ([1],)),
    "repeats an option": lambda: Decision("d", (1, 2, 1)),
    # Equal in Python, so one could not be found by its value.
    "repeats an option.*True": lambda: Decision("d", (1, True)),
    "finite number": lambda: Decision("d", (1.0, float("nan"))),
    "has no decisions": lambda: SearchSpace("s", ()),
    "two decisions named 'd'": lambda: SearchSpace(
        "s", (Decision("d", (1,)), Decision("d", (2,)))
    ),
    "Did you mean depth": lambda: SearchSpace(
        "s", (Decision("depth", (1,)), Decision("w", (1,), ("dept", (1,))))
    ),
    "no earlier decision": lambda: SearchSpace(
        "s", (Decision("w", (1,), ("depth", (1,))), Decision("depth", (1,)))
    ),
    r"requires 'depth' to be in \(3,\); allowed are \(1, 2\)": lambda: SearchSpace(
        "s", (Decision("depth", (1, 2)), Decision("w", (1,), ("depth", (3,))))
    ),
}

GENOTYPES = {
    r"genotype: found shape \(2,\).*3 decisions": lambda: SPACE.validate([0, 0]),
    r"found shape \(\)": lambda: SPACE.validate(3),
    "found dtype float64": lambda: SPACE.validate([0.0, 0.0, 0.0]),
    r"row 7: decision 'operation' has index 3; allowed are 0 to 2": (
        lambda: SPACE.validate([0, 0, 3], where="row 7")
    ),
    r"decision 'depth' of row \(1,\) has index -1": lambda: SPACE.validate(
        [[0, 0, 0], [-1, 0, 0]]
    ),
    "no decision 'operatoin'. Did you mean operation": lambda: SPACE.encode(
        {"depth": 1, "operatoin": "skip"}
    ),
    "no option 'conv_5x5'. Did you mean conv_": lambda: SPACE.encode(
        {"depth": 1, "operation": "conv_5x5"}
    ),
    "no option 9. Allowed: 8, 16": lambda: SPACE.encode(
        {"depth": 2, "width_2": 9, "operation": "skip"}
    ),
    "No option given for width_2": lambda: SPACE.encode(
        {"depth": 2, "operation": "skip"}
    ),
    "No option of operation is allowed": lambda: SPACE.restrict(
        SPACE.valid & np.asarray([True, True, False])[:, None]
    ),
}


@pytest.mark.parametrize("message", [*DECISIONS, *GENOTYPES])
def test_what_is_wrong_is_refused(message):
    with pytest.raises(SpaceError, match=message):
        (DECISIONS | GENOTYPES)[message]()


def test_nothing_is_repaired():
    with pytest.raises(SpaceError):
        SPACE.validate(np.asarray([[2, 0, 0]], np.uint8))
    accepted = SPACE.validate(np.asarray([[0, 1, 2]], np.uint8))
    assert accepted.dtype == np.int32
    np.testing.assert_array_equal(accepted, [[0, 1, 2]])

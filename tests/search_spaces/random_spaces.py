"""Random small search spaces with nested conditions, for property tests."""

import itertools

import numpy as np
from hypothesis import strategies as st

from search_spaces import Decision, SearchSpace


@st.composite
def small_spaces(draw, max_decisions: int = 5, max_options: int = 3) -> SearchSpace:
    decisions: list[Decision] = []
    for d in range(draw(st.integers(1, max_decisions))):
        options = tuple(10 * d + i for i in range(draw(st.integers(1, max_options))))
        requires = None
        if decisions and draw(st.booleans()):
            parent = draw(st.sampled_from(decisions))
            under = draw(st.sets(st.sampled_from(parent.options), min_size=1))
            requires = (parent.name, tuple(sorted(under)))
        decisions.append(Decision(f"d{d}", options, requires))
    return SearchSpace("random", tuple(decisions))


def raw_genotypes(space: SearchSpace) -> np.ndarray:
    """Every combination of options, `int32[raw_size, D]`."""
    rows = itertools.product(*(range(n) for n in space.num_options))
    return np.asarray(list(rows), np.int32)


def canonical_by_hand(space: SearchSpace, genotype) -> tuple[int, ...]:
    """The definition, one decision after the other, on names and options."""
    taken: dict[str, object] = {}
    result = []
    for decision, index in zip(space.decisions, genotype, strict=True):
        live = True
        if decision.requires is not None:
            parent, under = decision.requires
            live = parent in taken and taken[parent] in under
        if live:
            taken[decision.name] = decision.options[index]
        result.append(int(index) if live else 0)
    return tuple(result)

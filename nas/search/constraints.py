"""Constraints on what a search may return: `macs<=2e6`.

A constraint on a cost that is known without evaluating (MACs, parameters, bytes) limits
what is proposed at all; any other is a violation that controllers make small.
"""

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np

from nas.errors import UserError, nearest
from search_spaces import SearchSpace

Costs = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""int32[P, D] -> {name: number[P]}: costs that need no evaluation."""

_COMPARE = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_PATTERN = re.compile(r"\s*([A-Za-z]\w*)\s*(<=|>=|<|>)\s*([^<>=\s]+)\s*")

ENUMERATION_LIMIT = 20_000
NUM_SAMPLES = 2048
NUM_STARTS = 4
NUM_STEPS = 200


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A bound on one column.

    Attributes:
      name: the column.
      op: one of `<=`, `>=`, `<`, `>`.
      value: the bound, in the column's unit.
    """

    name: str
    op: str
    value: float

    def __str__(self) -> str:
        """Write it as it is parsed."""
        return f"{self.name}{self.op}{_number(self.value)}"

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Say where it is met: number[P] -> bool[P]."""
        return _COMPARE[self.op](np.asarray(values, np.float64), self.value)

    def violation(self, values: np.ndarray) -> np.ndarray:
        """Measure how far it is missed, relative to the bound.

        Args:
          values: number[P], the column.

        Returns:
          float64[P]; zero exactly where it is met.
        """
        gap = np.abs(np.asarray(values, np.float64) - self.value)
        relative = gap / (abs(self.value) or 1.0)
        # A strict bound is missed by a value that equals it, too.
        missed = np.maximum(relative, np.finfo(np.float64).tiny)
        return np.where(self.holds(values), 0.0, missed)

    @property
    def is_upper(self) -> bool:
        """Whether small values meet it."""
        return self.op.startswith("<")


def parse(text: str, columns: Iterable[str]) -> Constraint:
    """Read a constraint such as `macs<=2e6`.

    Args:
      text: a column, an operator and a number.
      columns: the names that may be constrained.

    Returns:
      The constraint.

    Raises:
      UserError: it cannot be read, or names no column.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise UserError(
            f"--where {text!r} is no constraint: write a name, one of <=, >=, <, > and "
            "a number, in quotes, as in --where 'macs<=2e6'"
        )
    name, op, number = match.groups()
    allowed = tuple(columns)
    if name not in allowed:
        raise UserError(
            f"--where {text!r}: nothing that is measured is called {name!r}. "
            f"{nearest(name, allowed)}"
        )
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"--where {text!r}: {number!r} is not a finite number; write it as 2000000 "
            "or 2e6"
        )
    return Constraint(name, op, value)


def total_violation(
    constraints: Iterable[Constraint], table: Mapping[str, np.ndarray], num: int
) -> np.ndarray:
    """Add up violations over those constraints whose column a table has.

    Args:
      constraints: the constraints.
      table: an array [P] for each column.
      num: P.

    Returns:
      float64[P].
    """
    total = np.zeros(num)
    for constraint in constraints:
        if constraint.name in table:
            total += constraint.violation(table[constraint.name])
    return total


def check_satisfiable(
    constraints: tuple[Constraint, ...], space: SearchSpace, costs: Costs
) -> np.ndarray:
    """Find architectures that meet the constraints on costs, before anything is run.

    Exact, by enumeration, in spaces of at most 20,000 architectures; in larger ones by
    sampling, then descending one decision at a time. The same answer every time.

    Args:
      constraints: all constraints; those on what must be evaluated are left out.
      space: what is searched.
      costs: the costs known without evaluating.

    Returns:
      int32[N, D], at least one and at most 256 feasible genotypes.

    Raises:
      UserError: none was found. It says what can be met.
    """
    pool = _pool(space)

    def miss(genotypes: np.ndarray) -> np.ndarray:
        return total_violation(constraints, costs(genotypes), len(genotypes))

    feasible = pool[miss(pool) == 0]
    if len(feasible):
        return feasible[:: -(-len(feasible) // 256)]
    closest, least = _descend(space, miss, pool)
    if least == 0:
        return closest[None]
    raise UserError(_explain(constraints, space, costs, pool, closest))


def _pool(space: SearchSpace) -> np.ndarray:
    if space.size <= ENUMERATION_LIMIT:
        return space.enumerate()
    # A fixed key: whether constraints can be met is no matter of an experiment's seed.
    return np.asarray(space.sample(jax.random.key(0), NUM_SAMPLES))


def _descend(
    space: SearchSpace, cost: Callable[[np.ndarray], np.ndarray], pool: np.ndarray
) -> tuple[np.ndarray, float]:
    """Make a cost small: the best of the pool, then better neighbours while any are."""
    costs = cost(pool)
    order = np.argsort(costs, kind="stable")
    if space.size <= ENUMERATION_LIMIT:
        return pool[order[0]], float(costs[order[0]])
    ends = [_descend_from(space, cost, pool[i]) for i in order[:NUM_STARTS]]
    return min(ends, key=lambda end: end[1])


def _descend_from(
    space: SearchSpace, cost: Callable[[np.ndarray], np.ndarray], genotype: np.ndarray
) -> tuple[np.ndarray, float]:
    least = float(cost(genotype[None])[0])
    for _ in range(NUM_STEPS):
        around = space.neighbours(genotype)
        costs = cost(around)
        if not len(around) or costs.min() >= least:
            break
        genotype, least = around[costs.argmin()], float(costs.min())
    return genotype, least


def _explain(
    constraints: tuple[Constraint, ...],
    space: SearchSpace,
    costs: Costs,
    pool: np.ndarray,
    closest: np.ndarray,
) -> str:
    """Say which constraint cannot be met alone, or that they cannot be met together."""
    known = costs(closest[None])
    limits = [constraint for constraint in constraints if constraint.name in known]
    exact = space.size <= ENUMERATION_LIMIT
    among = f"all {space.size} architectures" if exact else "the architectures tried"
    for limit in limits:
        extreme = _extreme(limit, space, costs, pool)
        if not limit.holds(np.asarray(extreme)):
            side = (
                ("smallest", "<=", "more")
                if limit.is_upper
                else ("largest", ">=", "less")
            )
            return (
                f"--where '{limit}' cannot be met in space {space.name!r}: the "
                f"{side[0]} {limit.name} of {among} is {_number(extreme)}. Write "
                f"--where '{limit.name}{side[1]}{_number(extreme)}' or {side[2]}"
            )
    values = {limit.name: float(known[limit.name][0]) for limit in limits}
    found = ", ".join(f"{name} = {_number(value)}" for name, value in values.items())
    wanted = " ".join(f"--where '{limit}'" for limit in limits)
    return (
        f"{wanted} cannot be met together in space {space.name!r}, though each can be "
        f"alone: the closest of {among} is {space.id(closest)} with {found}. Loosen "
        "the constraint that it misses"
    )


def _extreme(
    limit: Constraint, space: SearchSpace, costs: Costs, pool: np.ndarray
) -> float:
    """Find the smallest value for an upper bound, the largest for a lower one."""
    sign = 1.0 if limit.is_upper else -1.0
    _, least = _descend(
        space, lambda g: sign * np.asarray(costs(g)[limit.name], np.float64), pool
    )
    return sign * least


def _number(value: float) -> str:
    """Write a number so that it reads back exactly, integers without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))

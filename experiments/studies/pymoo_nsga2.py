"""The NSGA-II of pymoo on a table: the reference that ours is compared with.

Blank and Deb, "pymoo: Multi-objective optimization in Python", IEEE Access 2020. The
library is needed for this comparison only. Its operators are those that suit options
without an order: uniform crossover, and mutation that sets each decision to a random
option with probability 1 / D.
"""

from typing import Any

import numpy as np

from nas.errors import UserError
from nas.search.loop import SearchLoop

PATIENCE = 200
"""Generations without a new architecture, after which the search ends."""


def looked_up(
    loop: SearchLoop, evaluations: int, population: int, seed: int
) -> np.ndarray:
    """Search a table.

    An architecture that the constraints refuse counts for nothing here, as ours never
    asks for one; pymoo is told that it is infeasible.

    Args:
      loop: bound to the table; its controller is not asked.
      evaluations: the budget, of distinct feasible architectures.
      population: how many survive.
      seed: of pymoo.

    Returns:
      `int32[A, D]`, what was looked up, each once, in order; at most the budget.

    Raises:
      UserError: pymoo is not installed.
    """
    algorithm, problem = start(loop, population, seed)
    seen: dict[bytes, np.ndarray] = {}
    idle = 0
    while len(seen) < evaluations and idle < PATIENCE:
        asked = algorithm.ask()
        genotypes = loop.space.canonical(asked.get("X").astype(np.int32))
        before = len(seen)
        for row, fits in zip(genotypes, loop.problem.feasible(genotypes), strict=True):
            if fits:
                seen.setdefault(row.tobytes(), row)
        idle = 0 if len(seen) > before else idle + 1
        algorithm.evaluator.eval(problem, asked)
        algorithm.tell(infills=asked)
    return np.asarray(list(seen.values())[:evaluations], np.int32)


def start(loop: SearchLoop, population: int, seed: int) -> tuple[Any, Any]:
    """Set the algorithm up with a problem that looks architectures up.

    Args:
      loop: bound to the table; its controller is not asked.
      population: how many survive.
      seed: of pymoo.

    Returns:
      pymoo's algorithm, which is asked and told, and pymoo's problem.

    Raises:
      UserError: pymoo is not installed.
    """
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.mutation import Mutation
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.ux import UX
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
    except ImportError as error:
        raise UserError(
            "pymoo is not installed, which the comparison with its NSGA-II needs: "
            "pip install pymoo."
        ) from error
    space = loop.space
    options = np.array([len(decision.options) for decision in space.decisions])

    class Table(Problem):
        def __init__(self) -> None:
            num = len(loop.search.objectives)
            super().__init__(
                n_var=len(options),
                n_obj=num,
                n_ieq_constr=1,
                xl=0,
                xu=options - 1,
                vtype=int,
            )

        def _evaluate(self, x: np.ndarray, out: Any, *args: Any, **other: Any) -> None:
            genotypes = np.asarray(space.canonical(x.astype(np.int32)), np.int32)
            values = loop.evaluate(genotypes)
            out["F"] = np.stack([values[name] for name in loop.search.objectives], 1)
            out["G"] = np.where(loop.problem.feasible(genotypes), -1.0, 1.0)[:, None]

    class Reset(Mutation):
        def _do(
            self, problem: Any, X: np.ndarray, random_state: Any = None, **other: Any
        ) -> np.ndarray:
            hit = random_state.random(X.shape) < 1 / X.shape[1]
            return np.where(hit, random_state.integers(0, options, X.shape), X)

    algorithm = NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=UX(prob=0.9),  # pyright: ignore[reportArgumentType]
        mutation=Reset(),  # pyright: ignore[reportArgumentType]
        eliminate_duplicates=True,
    )
    problem = Table()
    algorithm.setup(problem, termination=("n_gen", 1_000_000), seed=seed, verbose=False)
    return algorithm, problem

"""The search loop: ask, evaluate what is new, tell, until the budget is used.

The same loop serves every controller. It reads and writes no file: a state goes in and
the next one comes out, and the caller saves and logs it. The state is a pytree of
fixed-shape arrays; what it does not hold is a function of the settings.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import jax
import numpy as np

from nas.errors import UserError, check_least, nearest
from nas.search.archive import Archive
from nas.search.base import Controller, Problem, Relaxed, State, fold, start
from nas.search.constraints import (
    ENUMERATION_LIMIT,
    Constraint,
    Costs,
    check_satisfiable,
    parse,
    total_violation,
)
from nas.search.evaluated import check_evaluated
from nas.search.pareto import hypervolume
from nas.search.proposals import random_feasible
from search_spaces import SearchSpace

Evaluate = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""int32[P, D], canonical, all different -> {column: number[P]}, every column."""

PATIENCE = 5
"""Asks in a row without a new architecture, after which the loop proposes itself."""


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched for, by whom, for how long.

    Attributes:
      controller: who proposes.
      objectives: the columns that are minimised; the first is the main one.
      evaluations: the budget: how many architectures are evaluated at most. Looking an
        architecture up in the archive is free. A controller that looks at examples by
        itself pays for it from the same budget.
      where: constraints, such as `macs<=2e6`.
    """

    controller: Controller
    objectives: tuple[str, ...] = ("nll", "macs")
    evaluations: int = 1000
    where: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a search for nothing."""
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise UserError(
                f"search: objectives are {self.objectives}, "
                "give at least one, each once"
            )
        check_least("search", self, evaluations=1)


@dataclasses.dataclass(frozen=True, eq=False)
class SearchLoop:
    """A search bound to a space and to a way of evaluating.

    Example:
      loop = SearchLoop(Search(NSGA2()), space, columns, evaluate, supernet.costs)
      state = loop.init(jax.random.key(0))
      while not loop.done(state):
          state = loop.step(state)
      front = loop.front(state)

    Attributes:
      search: the settings.
      space: what is searched.
      columns: what `evaluate` returns and the archive keeps.
      evaluate: measures architectures.
      costs: those columns that are known without evaluating.
      relaxed: the objectives as functions to differentiate, for gradient methods.
      first: int32[N, D], what is evaluated before all else.
    """

    search: Search
    space: SearchSpace
    columns: tuple[str, ...]
    evaluate: Evaluate
    costs: Costs
    relaxed: Relaxed | None = None
    first: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse unknown objectives, and constraints that nothing meets."""
        for name in self.search.objectives:
            if name not in self.columns:
                raise UserError(
                    f"search: nothing that is measured is called {name!r}, as "
                    f"objectives say. {nearest(name, self.columns)}"
                )
        _ = self.problem

    @functools.cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """The constraints, parsed."""
        return tuple(parse(text, self.columns) for text in self.search.where)

    @functools.cached_property
    def problem(self) -> Problem:
        """What the controller may know."""
        num_objectives = len(self.search.objectives)
        if not self.constraints:
            return Problem(
                self.space, num_objectives, relaxed=self.relaxed, costs=self._known
            )

        def feasible(genotypes: np.ndarray) -> np.ndarray:
            table = self.costs(genotypes)
            return total_violation(self.constraints, table, len(genotypes)) == 0

        seeds = check_satisfiable(self.constraints, self.space, self.costs)
        return Problem(
            self.space, num_objectives, feasible, seeds, self.relaxed, self._known
        )

    def check(self) -> None:
        """Refuse a controller that cannot search here, or not for this budget.

        Raises:
          UserError: nothing can be differentiated, or the budget does not pay for one
            ask and one evaluation.
        """
        if self.overhead + 1 > self.search.evaluations:
            raise UserError(
                f"search: one ask of {self.search.controller.NAME!r} costs as much as "
                f"{self.overhead:.1f} evaluations, and the budget is "
                f"{self.search.evaluations}. Raise search.evaluations to at least "
                f"{int(np.ceil(self.overhead)) + 1}, or let it do less in an ask: "
                "its settings are search.controller.*"
            )

    def init(self, key: jax.Array, archive: Archive | None = None) -> State:
        """Make the state to start from.

        Args:
          key: a JAX random key.
          archive: what earlier searches of the same supernet evaluated; it is not
            evaluated again, and its front counts.

        Returns:
          A pytree of numpy arrays: `archive`, `controller`, `generation`, the
          `evaluations` used, what asks were `charged` besides, in evaluations, `search`
          (the number of this search in the archive), `idle` asks without anything new,
          whether the space is `exhausted`, and `reference` and `scale` [M] of the
          hypervolume, NaN before the first step.

        Raises:
          UserError: as `check`.
        """
        self.check()
        if archive is None:
            archive = Archive.empty(self.space, self.columns, 0)
        num_objectives = len(self.search.objectives)
        k_controller, k_loop = jax.random.split(key)
        _, _, searches = archive.rows_in_use()
        capacity = min(len(archive) + self.search.evaluations, self.space.size)
        return {
            "archive": archive.grow(capacity).state(),
            "controller": self.search.controller.init(k_controller, self.problem),
            "key": start(k_loop)["key"],
            "search": np.array(searches.max(initial=-1) + 1, np.int32),
            "generation": np.array(0, np.int32),
            "evaluations": np.array(0, np.int32),
            "charged": np.array(0.0, np.float64),
            "idle": np.array(0, np.int32),
            "exhausted": np.array(False, bool),
            "reference": np.full(num_objectives, np.nan),
            "scale": np.full(num_objectives, np.nan),
        }

    @functools.cached_property
    def overhead(self) -> float:
        """What an ask of the controller costs by itself, in evaluations."""
        return float(self.search.controller.overhead(self.problem))

    def room(self, state: State) -> int:
        """Say how many evaluations the rest of the budget pays for."""
        used = int(state["evaluations"]) + float(state["charged"])
        return int(np.floor(self.search.evaluations - used + 1e-9))

    def done(self, state: State) -> bool:
        """Say whether the budget is used, or nothing is left to evaluate."""
        # Another ask must leave something to evaluate.
        charged = float(state["charged"]) + self.overhead
        left = self.room(state | {"charged": charged}) >= 1
        return not left or bool(state["exhausted"])

    def archive(self, state: State) -> Archive:
        """Give the archive that a state holds."""
        return Archive.from_state(self.space, self.columns, state["archive"])

    def step(self, state: State) -> State:
        """Advance by one generation; a state that is done comes back as it is.

        Args:
          state: the latest state.

        Returns:
          The next state.

        Raises:
          UserError: no feasible architecture was found, or an evaluation gave values
            that are missing, of another shape or not finite.
        """
        if self.done(state):
            return state
        archive = self.archive(state)
        controller, asked = self._asked(state)
        charged = float(state["charged"]) + self.overhead
        state = state | {"charged": np.array(charged, np.float64)}
        new = archive.missing(asked)
        idle = 0 if len(new) else min(int(state["idle"]) + 1, PATIENCE)
        if idle >= PATIENCE:
            new = self._unseen(state, archive, len(asked))
            # A controller's own proposals would teach it nothing new.
            asked = new
        new = new[: self.room(state)]
        archive = self._evaluated(archive, new, int(state["search"]))
        told = asked[archive.find(asked) >= 0]
        state = state | {
            "archive": archive.state(),
            "controller": self._tell(controller, archive, told),
            "generation": np.array(state["generation"] + 1, np.int32),
            "evaluations": np.array(state["evaluations"] + len(new), np.int32),
            "idle": np.array(idle, np.int32),
            "exhausted": np.array(idle >= PATIENCE and not len(new), bool),
        }
        return self._with_reference(state, archive, told)

    def feasible_rows(self, archive: Archive) -> np.ndarray:
        """Say which rows of an archive meet every constraint: bool[A]."""
        return total_violation(self.constraints, archive.table(), len(archive)) == 0

    def front(self, state: State) -> np.ndarray:
        """Find the Pareto front of everything evaluated that meets the constraints.

        Args:
          state: any state.

        Returns:
          int64[F], rows of the archive, by ascending first objective.
        """
        archive = self.archive(state)
        return archive.front(self.search.objectives, self.feasible_rows(archive))

    def hypervolume(self, state: State) -> float:
        """Measure the front.

        The reference point is fixed by the first generation: in each objective, its
        worst value and a tenth of its range more. One unit of an objective is that
        range, so that the hypervolume has no unit.

        Args:
          state: any state.

        Returns:
          The hypervolume; 0 before the first step.
        """
        if np.isnan(state["scale"]).any():
            return 0.0
        archive = self.archive(state)
        front = archive.genotypes[self.front(state)]
        points = archive.lookup(front, self.search.objectives)
        scale = np.asarray(state["scale"])
        return hypervolume(points / scale, np.asarray(state["reference"]) / scale)

    def hypervolumes(self, state: State) -> np.ndarray:
        """Measure the front after each evaluation, as `hypervolume` does.

        Args:
          state: any state.

        Returns:
          float64[A], never falling; its last value is `hypervolume(state)`.
        """
        archive = self.archive(state)
        if np.isnan(state["scale"]).any():
            return np.zeros(len(archive))
        return archive.hypervolumes(
            self.search.objectives,
            np.asarray(state["reference"]),
            np.asarray(state["scale"]),
            self.feasible_rows(archive),
        )

    @functools.cached_property
    def _first(self) -> np.ndarray:
        """int32[N, D]: what of `first` the constraints let pass, each once."""
        if self.first is None:
            return np.zeros((0, self.space.num_decisions), np.int32)
        rows = self.space.validate(self.first, where="the strategy's architectures")
        rows = self.space.canonical(rows)
        _, places = np.unique(rows, axis=0, return_index=True)
        rows = rows[np.sort(places)]
        return rows[self.problem.feasible(rows)]

    def _asked(self, state: State) -> tuple[State, np.ndarray]:
        """Ask the controller; the first time, what is known to be good comes first."""
        controller, asked = self.search.controller.ask(
            state["controller"], self.problem
        )
        asked = self._validated(asked)
        if int(state["generation"]) == 0 and len(self._first):
            known = {row.tobytes() for row in self._first}
            others = [row for row in asked if row.tobytes() not in known]
            asked = np.stack([*self._first, *others])
        return controller, asked

    def _known(self, genotypes: np.ndarray) -> np.ndarray:
        """The objectives among the costs; see `Problem.costs`."""
        table = self.costs(genotypes)
        unknown = np.full(len(genotypes), np.nan)
        columns = [table.get(name, unknown) for name in self.search.objectives]
        return np.stack(columns, axis=1).astype(np.float64)

    def _validated(self, asked: np.ndarray) -> np.ndarray:
        name = self.search.controller.NAME
        asked = self.space.validate(asked, where=f"proposal of controller {name!r}")
        if not self.problem.feasible(asked).all():
            raise ValueError(
                f"controller {name!r} proposed an architecture that the constraints "
                f"{', '.join(self.search.where)} refuse: controllers propose only what "
                "`problem.feasible` accepts"
            )
        return self.space.canonical(asked)

    def _evaluated(self, archive: Archive, new: np.ndarray, search: int) -> Archive:
        if not len(new):
            return archive
        values = self.evaluate(new)
        check_evaluated(self.space, self.columns, new, values)
        return archive.add(new, values, search)

    def _tell(self, controller: State, archive: Archive, told: np.ndarray) -> State:
        if not len(told):
            return controller
        table = dict(
            zip(self.columns, archive.lookup(told, self.columns).T, strict=True)
        )
        return self.search.controller.tell(
            controller,
            self.problem,
            told,
            archive.lookup(told, self.search.objectives),
            total_violation(self.constraints, table, len(told)),
        )

    def _with_reference(
        self, state: State, archive: Archive, told: np.ndarray
    ) -> State:
        if not np.isnan(state["scale"]).any() or not len(told):
            return state
        points = archive.lookup(told, self.search.objectives)
        worst, best = points.max(axis=0), points.min(axis=0)
        scale = np.where(worst > best, worst - best, 1.0)
        return state | {"reference": worst + 0.1 * scale, "scale": scale}

    @functools.cached_property
    def _everything(self) -> np.ndarray:
        """int32[N, D]: every feasible genotype of a small space."""
        genotypes = self.space.enumerate()
        return genotypes[self.problem.feasible(genotypes)]

    def _unseen(self, state: State, archive: Archive, num: int) -> np.ndarray:
        """Up to `num` feasible genotypes not evaluated yet; none: nothing is left."""
        key = fold(state, int(state["generation"]))
        if self.space.size <= ENUMERATION_LIMIT:
            left = archive.missing(self._everything)
            # Of one shape however few are left, so that one program draws them all.
            score = jax.random.uniform(key, (len(self._everything),))
            return left[np.argsort(np.asarray(score)[: len(left)])[:num]]
        seen = archive.genotypes[: len(archive)]
        # Those of earlier searches need not meet the constraints of this one.
        known = seen[self.problem.feasible(seen)]
        return archive.missing(random_feasible(key, self.problem, num, known))

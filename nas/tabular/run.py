"""A tabular experiment that is being carried out, in a folder or without one."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.any_run import AnyRun
from nas.errors import UserError
from nas.search.loop import SearchLoop
from nas.stages.front import Member, chosen, write_front
from nas.stages.searching import carry_out
from nas.tabular.experiment import TabularExperiment
from nas.tabular.lookup import Lookup, bind
from nas.tabular.optimum import Optimum
from nas.training.keys import role_key

COUNTS = ("macs", "params", "bytes")


class TabularRun(AnyRun[TabularExperiment]):
    """A search without training.

    Example:
      run = TabularRun(experiment)
      run.search()
      for member in run.front():
          print(member.id, member.objectives)
    """

    MAY_CHANGE = ("search", "most", "versions", "backend", "command")
    UNTOLD = ("versions", "backend", "command")
    PACKAGES = ("jax", "jaxlib", "flax", "numpy")

    @functools.cached_property
    def lookup(self) -> Lookup:
        """The table, bound to the space."""
        experiment = self.experiment
        try:
            supernet = experiment.supernet.with_data(
                experiment.input_shape, experiment.num_classes
            )
        except ValueError as error:
            raise UserError(
                f"experiment: the supernet does not fit: {error}"
            ) from error
        return bind(
            experiment.truth.load(), supernet, experiment.decide, experiment.search
        )

    @functools.cached_property
    def loop(self) -> SearchLoop:
        """The search, bound to the table."""
        lookup = self.lookup
        return SearchLoop(
            lookup.search(self.experiment.search),
            lookup.table.space,
            lookup.columns,
            lookup.evaluate,
            lookup.costs,
        )

    @functools.cached_property
    def optimum(self) -> Optimum:
        """The best that the table holds."""
        return Optimum(self.lookup, self.loop)

    def _facts(self) -> dict[str, Any]:
        table = self.lookup.table
        return {
            "space_hash": table.space.hash,
            "table": {
                "name": table.name,
                "hash": table.hash,
                "architectures": len(table),
                "decide": self._seeds(self.lookup.decide),
                "report": self._seeds(self.lookup.others),
                "left_out": self.lookup.left_out,
                "note": str(table.provenance.get("note", "")),
            },
        }

    def _check(self) -> None:
        _ = self.optimum.best
        # A controller that needs more than look-ups says so before anything is made.
        controller = self.loop.search.controller
        controller.init(role_key(self.experiment.seed, "search"), self.loop.problem)

    def search(self) -> np.ndarray:
        """Search the table, or go on, or find that it is done; tell the regret.

        Returns:
          `int32[F, D]`, the Pareto front by the deciding seeds.
        """
        for line in self.rules():
            self.notify(line)
        front = carry_out(self, self.loop, self.experiment.seed, self.optimum.histories)
        for line in self.findings():
            self.notify(line)
        return front

    def front(self) -> Sequence[Member]:
        """Give the front of the search by the seeds that decided nothing.

        Returns:
          Its members, by ascending cost.
        """
        loop, state = self.latest_search()
        genotypes, dominated = chosen(loop, state, self.experiment.most)
        members = [
            self._member(genotype, bool(fills))
            for genotype, fills in zip(genotypes, dominated, strict=True)
        ]
        write_front(self, members)
        return members

    def rules(self) -> list[str]:
        """Say what an evaluation is, by what is decided, and what is reported."""
        lookup, table = self.lookup, self.lookup.table
        lines = [
            f"An evaluation is a look-up in {table.name}: {len(table):,} "
            "architectures, numbers without noise, each architecture counted once.",
            f"The search decides by {_named(self._seeds(lookup.decide))}; errors are "
            f"reported as the mean of {_named(self._seeds(lookup.others))}.",
        ]
        if lookup.left_out:
            lines.append(
                f"{lookup.left_out:,} architectures have no other seed, and are left "
                "out."
            )
        note = table.provenance.get("note")
        return [*lines, str(note)] if note else lines

    def findings(self) -> list[str]:
        """Say how far the search is from the best of the table."""
        loop, state = self.latest_search()
        archive, optimum, lookup = loop.archive(state), self.optimum, self.lookup
        reported = lookup.reported()
        latest = {n: v[-1] for n, v in optimum.histories(loop, state).items()}
        regret, deciding = latest["search/regret"], latest["search/regret_deciding"]
        if np.isnan(regret):
            return []
        best, perfect = optimum.best, optimum.best_deciding
        earlier = len(archive) - int(state["evaluations"])
        told = f" ({earlier:,} of them by earlier searches)" if earlier else ""
        lines = [
            f"After {len(archive):,} look-ups{told} the best has a regret of "
            f"{regret:.2%} (reported; {deciding:.2%} by what decides). The table's "
            f"best is {self._id(best)} with {reported[best]:.2%} error; a search that "
            f"misses nothing would choose {self._id(perfect)}, with "
            f"{reported[perfect]:.2%}."
        ]
        if len(loop.search.objectives) > 1:
            points = archive.lookup(
                archive.genotypes[loop.front(state)], loop.search.objectives
            )
            lines.append(
                f"Its front covers {optimum.share(points):.1%} of the hypervolume of "
                f"the true front, of {len(optimum.true_front)} architectures."
            )
        return lines

    def _member(self, genotype: np.ndarray, dominated: bool) -> Member:
        lookup, space = self.lookup, self.lookup.table.space
        row = int(lookup.rows(genotype[None])[0])
        measures = [name for name in lookup.measured if name != "error"]
        values = {"error": lookup.reported()[row]}
        values |= {name: lookup.reported(name)[row] for name in measures}
        values |= {name: column[row] for name, column in lookup.known.items()}
        objectives = {
            name: int(value) if name in COUNTS else float(value)
            for name, value in values.items()
        }
        return Member.of(space, genotype, objectives, lookup.interval(row), dominated)

    def _seeds(self, places: Sequence[int] | np.ndarray) -> list[int]:
        return [int(self.lookup.table.seeds[place]) for place in places]

    def _id(self, row: int) -> str:
        return self.lookup.table.space.id(self.lookup.table.genotypes[row])


def _named(seeds: Sequence[int]) -> str:
    """Write seeds as `seed 0` or `seeds 1 and 2`."""
    words = [str(seed) for seed in seeds]
    if len(words) == 1:
        return f"seed {words[0]}"
    return f"seeds {', '.join(words[:-1])} and {words[-1]}"

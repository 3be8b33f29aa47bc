"""Split the supernet in a few, by one decision at a time, while it is trained.

Zhao et al., "Few-shot Neural Architecture Search", ICML 2021, arXiv 2006.06863, give
every option of a decision a sub-supernet of its own. Hu et al., "Generalizing Few-Shot
NAS with Gradient Matching", ICLR 2022, arXiv 2203.15207, put options together whose
gradients agree, and split by the decision where that separates most. Both, and their
controls, are settings of one class: which decision, which groups, when, and what the
parts start from.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from nas.errors import UserError
from nas.partition import cuts
from nas.partition.base import Partition, Probe, Refinement
from nas.partition.gradient_matching import GradientMatching, alive_table
from search_spaces import SearchSpace

RANDOM, EACH = "random", "each"
CHILDREN = ("inherit", "restart")
_RESAMPLES = 200


@dataclasses.dataclass(frozen=True)
class FewShot(Partition):
    """Split every sub-supernet by one decision, at given steps of the training."""

    at: tuple[int, ...] = (1000,)  # type: ignore[assignment]
    """The steps after which all sub-supernets are split; those before the first are the
    warm-up of the one supernet."""

    decision: str = "max_between"
    """By which decision: max_between, the one whose groups differ most in sum;
    max_mean_between, in the mean over pairs; min_within, the one whose groups agree
    best; random; or the name of a decision."""

    cut: str = "min_within"
    """Into which groups: min_within or min_mean_within, what leaves the least distance
    within groups, in sum or in the mean over pairs; each, one group an option; or
    random."""

    groups: tuple[int, ...] = (2,)
    """Groups of a cut at the first split, the second, ..; the last number holds for
    all splits after it."""

    sizes: tuple[tuple[int, ...], ...] = ()
    """Allowed sizes of the groups, such as ((2, 5), (3, 4)); empty: as even as they can
    be."""

    candidates: str = ""
    """A regular expression for whole names of decisions that may be split; empty: any.
    """

    children: str = "inherit"
    """Parts start from the weights and optimiser of what they are parts of (inherit),
    or, after the last split, anew (restart)."""

    score: GradientMatching = dataclasses.field(default_factory=GradientMatching)
    """How distances between options are measured, where they decide."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        for name, allowed in (
            ("cut", (*cuts.CUTS, EACH, RANDOM)),
            ("children", CHILDREN),
        ):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"partition: {name} is {getattr(self, name)!r}; allowed: "
                    f"{', '.join(allowed)}."
                )
        if not self.at:
            raise UserError(
                "partition: at is empty; give the steps after which to split, such as "
                "(1000, 2000)."
            )
        small = not self.groups or min(self.groups) < 2
        if small or any(len(s) < 2 or min(s) < 1 for s in self.sizes):
            raise UserError(
                f"partition: groups is {self.groups} and sizes {self.sizes}; a cut has "
                "at least 2 groups, of at least 1 option each."
            )
        try:
            re.compile(self.candidates)
        except re.error as error:
            raise UserError(
                f"partition: candidates {self.candidates!r} is no regular expression: "
                f"{error}."
            ) from None

    @property
    def restarts(self) -> bool:
        """Whether the parts of the last split begin anew; see `Partition`."""
        return self.children == "restart"

    @property
    def measures(self) -> bool:
        """Whether anything is decided by distances between gradients."""
        return self.decision in cuts.RULES or self.cut in cuts.CUTS

    def tables(self, space: SearchSpace) -> np.ndarray:
        """Start as one supernet; see `Partition.tables`."""
        known = (*cuts.RULES, RANDOM, *space.names)
        if self.decision not in known:
            raise UserError(
                f"partition: decision is {self.decision!r}; allowed: "
                f"{', '.join((*cuts.RULES, RANDOM))}, or a decision of "
                f"{space.name!r}: {', '.join(space.names)}."
            )
        self._candidates(space, space.valid, 0, 0)
        return space.valid[None]

    def refine(
        self, space: SearchSpace, tables: np.ndarray, probe: Probe
    ) -> list[Refinement]:
        """Decide how each sub-supernet is split; see `Partition.refine`."""
        program = self.score.compile(probe) if self.measures else None
        return [
            self._refine(space, table, s, probe, program)
            for s, table in enumerate(tables)
        ]

    def _refine(
        self, space: SearchSpace, table: np.ndarray, s: int, probe: Probe, program: Any
    ) -> Refinement:
        found = self._candidates(space, table, s, probe.number)
        rng = jax.random.fold_in(jax.random.fold_in(probe.key, 1 << 20), s)
        if self.decision == RANDOM:
            found = [found[int(jax.random.randint(rng, (), 0, len(found)))]]
        picks = [
            _Pick(d, np.flatnonzero(table[d]), self._cuts(table[d], probe.number))
            for d in found
        ]
        if not self.measures:
            pick = picks[0]
            number = 0
            if self.cut == RANDOM:
                key = jax.random.fold_in(rng, 1)
                number = int(jax.random.randint(key, (), 0, len(pick.cuts)))
            return Refinement(space.names[pick.decision], pick.groups(number))
        assert program is not None
        narrowed = [alive_table(space, table, pick.decision) for pick in picks]
        samples = self.score.measure(
            space,
            [n for n in narrowed if n is not None],
            [pick.decision for pick in picks],
            probe,
            s,
            program,
            lambda rows: self._settled(rows, picks, rng),
        )
        return self._conclude(space, samples, picks, rng)

    # -------------------------------------------------------------- what may be split
    def _candidates(
        self, space: SearchSpace, table: np.ndarray, s: int, number: int
    ) -> list[int]:
        """List decisions that are still whole, alive, and can be cut as asked for."""
        found = [
            d
            for d, name in enumerate(space.names)
            if table[d].sum() == space.num_options[d]
            and self._may(name)
            and self._cuts(table[d], number)
            and alive_table(space, table, d) is not None
        ]
        if found:
            return found
        asked = (
            f"groups of sizes {self.sizes}" if self.sizes else f"{self.groups} groups"
        )
        raise UserError(
            f"partition: sub-supernet {s} has no decision left to split into {asked}"
            + (f" among {self.candidates!r}" if self.candidates else "")
            + f". Decisions of {space.name!r} and their options: "
            + ", ".join(
                f"{n} {k}" for n, k in zip(space.names, space.num_options, strict=True)
            )
            + ". Split less often, or allow other sizes or candidates."
        )

    def _may(self, name: str) -> bool:
        if self.decision not in (*cuts.RULES, RANDOM):
            return name == self.decision
        return not self.candidates or bool(re.fullmatch(self.candidates, name))

    def _groups(self, number: int) -> int:
        return self.groups[min(number, len(self.groups) - 1)]

    def _cuts(self, row: np.ndarray, number: int) -> list[cuts.Groups]:
        """List the cuts that the settings allow of the options in a row."""
        n = int(row.sum())
        if n < 2:
            return []
        if self.cut == EACH:
            return [tuple((i,) for i in range(n))]
        if n > cuts.MOST_OPTIONS:
            return []
        groups = self._groups(number)
        sizes = self.sizes or (cuts.even_sizes(n, groups),)
        fit = [size for size in sizes if len(size) == groups and min(size) > 0]
        return cuts.all_cuts(n, fit)

    # --------------------------------------------------------------------- conclusions
    def _choose(
        self, means: np.ndarray, picks: Sequence["_Pick"], rng: jax.Array
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose a decision and its cut, for any leading axes of mean distances.

        Args:
          means: `float[.., C, O, O]`.
          picks: the C candidates.
          rng: of random cuts.

        Returns:
          `int64[..]` twice: the candidate, and the cut of it.
        """
        merits, chosen = [], []
        for c, pick in enumerate(picks):
            own = means[..., c, :, :][..., pick.options[:, None], pick.options]
            if self.cut in cuts.CUTS:
                best = cuts.best_cut(own, pick.cuts, self.cut)
            else:
                number = 0
                if self.cut == RANDOM:
                    key = jax.random.fold_in(rng, pick.decision)
                    number = int(jax.random.randint(key, (), 0, len(pick.cuts)))
                best = np.full(own.shape[:-2], number)
            chosen.append(best)
            rule = self.decision if self.decision in cuts.RULES else cuts.RULES[0]
            merits.append(cuts.merit(cuts.measure(own, pick.cuts), best, rule))
        values, options = np.stack(merits, -1), np.stack(chosen, -1)
        winner = np.argmax(values >= values.max(-1, keepdims=True) - 1e-12, axis=-1)
        return winner, np.take_along_axis(options, winner[..., None], -1)[..., 0]

    def _agreement(
        self, samples: np.ndarray, picks: Sequence["_Pick"], rng: jax.Array
    ) -> float:
        """Resample the repeats, and count how often the same is chosen."""
        repeats = len(samples)
        key = jax.random.fold_in(rng, repeats)
        shape = (_RESAMPLES, repeats)
        drawn = np.asarray(jax.random.randint(key, shape, 0, repeats, "int32"))
        counts = (drawn[:, :, None] == np.arange(repeats)).sum(1)
        means = _mean(samples, counts.astype(np.float64))
        winner, cut = self._choose(means, picks, rng)
        own = self._choose(_mean(samples, np.ones((1, repeats)))[0], picks, rng)
        return float(((winner == own[0]) & (cut == own[1])).mean())

    def _settled(
        self, samples: np.ndarray, picks: Sequence["_Pick"], rng: jax.Array
    ) -> bool:
        if self.score.stability == 0:
            return False
        return self._agreement(samples, picks, rng) >= self.score.stability

    def _conclude(
        self,
        space: SearchSpace,
        samples: np.ndarray,
        picks: Sequence["_Pick"],
        rng: jax.Array,
    ) -> Refinement:
        repeats = len(samples)
        means = _mean(samples, np.ones((1, repeats)))[0]
        c, cut = (int(i) for i in self._choose(means, picks, rng))
        pick = picks[c]
        evidence = {
            "repeats": repeats,
            "passes": repeats * sum(len(p.options) for p in picks),
            "agreement": self._agreement(samples, picks, rng),
            "candidates": [
                self._describe(space, p, samples[:, i], means[i], rng)
                for i, p in enumerate(picks)
            ],
        }
        return Refinement(space.names[pick.decision], pick.groups(cut), evidence)

    def _describe(
        self,
        space: SearchSpace,
        pick: "_Pick",
        samples: np.ndarray,
        means: np.ndarray,
        rng: jax.Array,
    ) -> dict[str, Any]:
        """Write one candidate's distances, with their intervals, and its best cut."""
        own = np.ix_(pick.options, pick.options)
        with np.errstate(invalid="ignore", divide="ignore"):
            defined = (~np.isnan(samples)).sum(0)
            squares = np.nansum(np.square(samples - means), 0)
            half = 1.96 * np.sqrt(squares / np.maximum(defined - 1, 1) / defined)
        _, cut = self._choose(means[None], [pick], rng)
        best = cuts.describe(means[own], pick.cuts, int(cut))
        options = space.decisions[pick.decision].options
        return {
            "decision": space.names[pick.decision],
            "options": [options[i] for i in pick.options],
            "distance": _rows(means[own]),
            "half_interval_95": _rows(half[own]),
            "repeats_defined": defined[own].tolist(),
            "groups": [[options[i] for i in g] for g in pick.groups(int(cut))],
            "within": best.within,
            "between": best.between,
            "mean_between": best.mean_between,
        }


@dataclasses.dataclass(frozen=True)
class _Pick:
    """A decision that may be split: its allowed options, and the ways to cut them."""

    decision: int
    options: np.ndarray
    cuts: list[cuts.Groups]

    def groups(self, number: int) -> tuple[tuple[int, ...], ...]:
        """Give the groups of a cut as indices of the decision's options."""
        return tuple(
            tuple(int(self.options[i]) for i in group) for group in self.cuts[number]
        )


def _mean(samples: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average over repeats, each taken so often, without what is undefined.

    Args:
      samples: `float32[R, C, O, O]`.
      counts: `float64[N, R]`.

    Returns:
      `float64[N, C, O, O]`; NaN where nothing is defined.
    """
    defined = ~np.isnan(samples)
    values = np.where(defined, samples, 0).astype(np.float64)
    total = np.einsum("nr,rcij->ncij", counts, values)
    number = np.einsum("nr,rcij->ncij", counts, defined.astype(np.float64))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _rows(values: np.ndarray) -> list[list[float | None]]:
    """Write a matrix as JSON, null for what is undefined."""
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]

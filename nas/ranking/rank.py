"""The comparison of estimates with a truth, and with what trains nothing: `rank.json`.

The estimates and the truth are measured on examples that neither trained on, and that
the two do not share; that is for the caller to see to.

Letters in shapes: P architectures, S seeds, R resamples.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nas.errors import UserError
from nas.ranking.bootstrap import (
    RESAMPLES,
    draw_counts,
    each,
    interval,
    taus,
)
from nas.ranking.ceiling import ceiling, checked_truth
from nas.ranking.correlation import (
    checked,
    correlation,
    partial_tau,
    partial_tau_of_a_copy,
    tau_b,
)
from nas.ranking.held_out import HeldOut

HEADLINE = "nll"
PARTIAL = ("tau", "low", "high", "copy")
PARTIAL += ("beyond_copy", "beyond_copy_low", "beyond_copy_high")


@dataclasses.dataclass(frozen=True, eq=False)
class _Resampled:
    """A truth with its resamples, which every estimate shares."""

    truth: np.ndarray
    counts: np.ndarray

    def tau(self, estimate: np.ndarray) -> dict[str, float | None]:
        low, high = interval(taus(self.counts, self.truth, estimate))
        return {"tau": tau_b(self.truth, estimate), "low": low, "high": high}

    def partial(
        self, estimate: np.ndarray, given: np.ndarray
    ) -> dict[str, float | None]:
        pairs = ((self.truth, estimate), (self.truth, given), (estimate, given))
        exact = [tau_b(a, b) for a, b in pairs]
        drawn = [taus(self.counts, a, b) for a, b in pairs]
        found: dict[str, float | None] = {"tau": partial_tau(*exact)}
        found["low"], found["high"] = _interval(partial_tau, exact, drawn)
        found["copy"] = partial_tau_of_a_copy(*exact[1:])
        found["beyond_copy"] = _beyond_copy(*exact)
        low, high = _interval(_beyond_copy, exact, drawn)
        return found | {"beyond_copy_low": low, "beyond_copy_high": high}


def _interval(
    function: Callable[..., float | None],
    exact: list[float | None],
    drawn: list[np.ndarray],
) -> tuple[float | None, float | None]:
    if function(*exact) is None:
        return None, None
    return interval(each(function, *drawn))


def _beyond_copy(
    truth_estimate: float | None,
    truth_given: float | None,
    estimate_given: float | None,
) -> float | None:
    found = partial_tau(truth_estimate, truth_given, estimate_given)
    copied = partial_tau_of_a_copy(truth_given, estimate_given)
    return None if found is None or copied is None else found - copied


def rank(
    truth: Any,
    estimates: Mapping[str, Any],
    baselines: Mapping[str, Any] | None = None,
    *,
    given: str | None = None,
    learned: Mapping[str, HeldOut] | None = None,
    classes: Any = None,
    provenance: Mapping[str, Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Hold estimates against a truth.

    Args:
      truth: `float[P, S]`, errors of architectures trained alone, by seed. Its mean
        over seeds is what is ranked.
      estimates: `float[P]` by name, `nll` among them, smaller is better.
      baselines: `float[P]` by name, smaller is better; see `nas.ranking.baselines`.
      given: the baseline beyond which the partial tau looks; None is the one with the
        highest tau, which favours no estimate.
      learned: predictors that were fitted to a part of the truth, by name; they are on
        other architectures, so no partial tau can be given them.
      classes: `int[P]`, architectures that compute the same function; drawn together.
      provenance: where the truth comes from, for the record.
      resamples: R, of the intervals.
      seed: of the resamples.

    Returns:
      What `rank.json` holds. `tau`, `low`, `high`, `n` and `ties` are by `nll`;
      `ceiling` is the truth's agreement with itself; `baselines` have a tau with its
      interval; `partial_tau` is of `nll` and the truth given one baseline, next to
      `copy`, what an estimate would have that knows nothing beyond that baseline, and
      `beyond_copy`, their difference with its interval; `by` has everything for each
      estimate. A number that does not exist is None.

    Raises:
      UserError: there is no `nll`, `given` is no baseline, or something has a NaN or
        another length.
    """
    table = checked_truth(truth)
    if HEADLINE not in estimates:
        raise UserError(
            f"ranking: there is no estimate {HEADLINE!r}; found: "
            f"{', '.join(estimates) or 'none'}."
        )
    size = len(table)
    own = {name: checked(v, name, size) for name, v in estimates.items()}
    others = {name: checked(v, name, size) for name, v in (baselines or {}).items()}
    counts = draw_counts(np.random.default_rng(seed), size, resamples, classes)
    resampled = _Resampled(table.mean(1), counts)
    shown: dict[str, Any] = {name: resampled.tau(v) for name, v in others.items()}
    name = _best(shown) if given is None else _known(given, shown)
    by = {key: _report(resampled, v, others, name) for key, v in own.items()}
    head = by[HEADLINE]
    return {
        "tau": head["tau"],
        "n": size,
        "ties": {"truth": head["ties_truth"], "estimate": head["ties_estimate"]},
        "low": head["low"],
        "high": head["high"],
        "ceiling": ceiling(table).to_json(),
        "baselines": shown | {k: v.to_json() for k, v in (learned or {}).items()},
        "partial_tau": head["partial_tau"],
        "by": by,
        "truth": dict(provenance or {}),
        "resamples": resamples,
    }


def _report(
    resampled: _Resampled,
    estimate: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    given: str | None,
) -> dict[str, Any]:
    measured = resampled.tau(estimate)
    report = correlation(
        resampled.truth, estimate, (measured["low"], measured["high"])
    ).to_json()
    partial: dict[str, Any] = dict.fromkeys(PARTIAL)
    if given is not None:
        partial = resampled.partial(estimate, baselines[given])
    return report | {"partial_tau": partial | {"given": given}}


def _best(shown: Mapping[str, Mapping[str, float | None]]) -> str | None:
    """Name the baseline with the highest tau; the first of equal ones."""
    known = {name: v["tau"] for name, v in shown.items() if v["tau"] is not None}
    return max(known, key=lambda name: known[name], default=None)


def _known(given: str, shown: Mapping[str, Any]) -> str:
    if given not in shown:
        raise UserError(
            f"ranking: {given!r} is no baseline here; found: "
            f"{', '.join(shown) or 'none'}."
        )
    return given

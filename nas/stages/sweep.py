"""Carry out an experiment over variants and seeds, each in a workdir of its own.

A sweep is nothing but ordinary runs in order: seeds outermost, so that what is done
when it is stopped is still paired. It keeps no state beside theirs but a plan, which
says what was asked for, and a mark in each folder that is done.
"""

import dataclasses
import gc
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.any_run import AnyRun
from nas.comparison.outcomes import DONE, PLAN
from nas.errors import UserError
from nas.experiment import Experiment, to_json
from nas.run import Run
from nas.runtime.processes import is_main
from nas.runtime.workdir import write_json_atomic
from nas.tabular import TabularExperiment, TabularRun
from search_spaces import SpaceError

STAGES: dict[str, Callable[[Any], Any]] = {
    "train": lambda run: run.train(),
    "search": lambda run: (run.search(), run.front()),
    "rank": lambda run: run.rank(),
}

# Settings that no training depends on, but a later stage does.
_DECIDES = {"search": "search", "rank": "ranking"}


@dataclasses.dataclass(frozen=True)
class Variant:
    """One method of a sweep."""

    name: str
    """Names its folder."""

    experiment: Experiment | TabularExperiment
    """What is run; its seed is replaced."""

    command: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What `config.json` should say about how it was asked for."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Which runs, where, and what is done in each."""

    folder: Path
    """One folder for each variant under it, and in it one for each seed."""

    variants: tuple[Variant, ...]
    """Methods, in the order in which they are run and compared."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Each decides everything random of a run of every variant."""

    stages: tuple[str, ...] = ("train", "rank")
    """Of each run: train, search (and its front measured again), rank."""

    keep_checkpoints: bool = False
    """Keep the weights of runs that are done; without, they cannot be gone on with."""

    def __post_init__(self) -> None:
        """Check the names, the seeds and the stages."""
        names = [variant.name for variant in self.variants]
        if not names or not self.seeds:
            raise UserError("A sweep needs at least one variant and one seed.")
        for name in names:
            if Path(name).name != name or names.count(name) > 1:
                raise UserError(
                    f"variant {name!r} names a folder, so it needs a character, no "
                    "slash, and to be the only one of its name."
                )
        if len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(
                f"seeds are {list(self.seeds)}; each is 0 or more, and there once."
            )
        unknown = [stage for stage in self.stages if stage not in STAGES]
        tabular = [_kind(variant.experiment) is TabularRun for variant in self.variants]
        if any(tabular):
            if not all(tabular) or self.stages != ("search",):
                raise UserError(
                    f"stages are {', '.join(self.stages) or 'none'}; of a table there "
                    "is search only, and all variants search tables or none does."
                )
        elif unknown or "train" not in self.stages:
            raise UserError(
                f"stages are {', '.join(self.stages) or 'none'}; allowed: train, and "
                "after it search and rank."
            )

    def workdir(self, variant: str, seed: int) -> Path:
        """Give the folder of one run."""
        return self.folder / variant / f"seed_{seed}"


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that could not be done, and why."""

    variant: str
    seed: int
    reason: str


def sweep(
    plan: Sweep,
    notify: Callable[[str], None] = print,
    provenance: Mapping[str, Any] | None = None,
) -> list[Failure]:
    """Do what is left of a sweep.

    Args:
      plan: what was asked for. Other plans of the same folder stay as they are.
      notify: told what a person should know, a line at a time.
      provenance: what `sweep.json` should say about this command: JSON values.

    Returns:
      Runs that the user's settings made impossible; all others are done.

    Raises:
      UserError: the folder is of another experiment.
      Interrupted: told to stop; the same call goes on.
    """
    if is_main():
        _write_plan(plan, provenance or {})
    failures = []
    total = len(plan.seeds) * len(plan.variants)
    todo = [(seed, variant) for seed in plan.seeds for variant in plan.variants]
    for number, (seed, variant) in enumerate(todo, 1):
        experiment = dataclasses.replace(variant.experiment, seed=seed)
        where = plan.workdir(variant.name, seed)
        label = f"[{number}/{total}] {variant.name}, seed {seed}"
        if is_done(where, experiment, plan.stages):
            notify(f"{label}: done before.")
            continue
        notify(f"{label}: {', '.join(plan.stages)}.")
        try:
            _carry_out(plan, where, experiment, variant.command, notify)
        except (UserError, SpaceError) as error:
            notify(f"{label} failed: {error}")
            failures.append(Failure(variant.name, seed, str(error)))
        # A run holds its data on the devices until nothing refers to it.
        gc.collect()
    return failures


def is_done(
    where: Path, experiment: Experiment | TabularExperiment, stages: Sequence[str]
) -> bool:
    """Say whether a run is marked as done, by these settings and with these stages."""
    try:
        mark = json.loads((where / DONE).read_text(encoding="utf-8"))
        done, digest = set(mark["stages"]), mark["experiment"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return done >= set(stages) and digest == _digest(experiment, mark["stages"])


def _seeded(command: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Say the seed too, so that later stages of the one run take it over."""
    settings = [*command.get("settings", ()), ["seed", str(seed)]]
    return {**command, "settings": settings}


def _carry_out(
    plan: Sweep,
    where: Path,
    experiment: Experiment | TabularExperiment,
    command: Mapping[str, Any],
    notify: Callable[[str], None],
) -> None:
    extra = {"command": _seeded(command, experiment.seed)} if command else None
    with _kind(experiment)(experiment, where, notify, extra) as run:
        for stage in plan.stages:
            STAGES[stage](run)
        if not is_main():
            return
        mark = {
            "stages": list(plan.stages),
            "experiment": _digest(experiment, plan.stages),
        }
        write_json_atomic(where / DONE, mark)
        if not plan.keep_checkpoints and run.workdir is not None:
            # Only after the mark: without both, the run would start anew.
            shutil.rmtree(run.workdir.checkpoints, ignore_errors=True)


def _kind(experiment: Experiment | TabularExperiment) -> type[AnyRun[Any]]:
    return TabularRun if isinstance(experiment, TabularExperiment) else Run


def _digest(experiment: Experiment | TabularExperiment, stages: Sequence[str]) -> str:
    """Give a hash of the settings that decide what these stages find."""
    settings = to_json(experiment)
    for path in _kind(experiment).MAY_CHANGE:
        *above, last = path.split(".")
        if any(path == _DECIDES.get(stage) for stage in stages):
            continue
        inside = settings
        for name in above:
            inside = inside.get(name, {})
        inside.pop(last, None)
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _write_plan(plan: Sweep, provenance: Mapping[str, Any]) -> None:
    """Write `sweep.json`: what the folder holds now, and each command that added."""
    path = plan.folder / PLAN
    names = {variant.experiment.name for variant in plan.variants}
    found = _read_plan(path)
    before = found.get("experiment")
    if len(names) > 1 or (before is not None and {before} != names):
        raise UserError(
            f"{plan.folder} is of experiment {before or 'none yet'}, and the variants "
            f"are of {', '.join(sorted(names))}. Variants of one sweep share a name; "
            "give another --workdir for another experiment."
        )
    variants = [variant.name for variant in plan.variants]
    content = {
        "experiment": names.pop(),
        "variants": list(dict.fromkeys([*found.get("variants", []), *variants])),
        "seeds": sorted({*found.get("seeds", []), *plan.seeds}),
        "stages": list(dict.fromkeys([*found.get("stages", []), *plan.stages])),
        "commands": list(found.get("commands", [])),
    }
    if provenance and dict(provenance) not in content["commands"]:
        content["commands"].append(dict(provenance))
    plan.folder.mkdir(parents=True, exist_ok=True)
    write_json_atomic(path, content)


def _read_plan(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no plan of a sweep.")
    return value

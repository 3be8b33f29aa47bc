"""The stages of many runs: carry them out over seeds and variants, and compare them."""

import datetime
import importlib.metadata
import itertools
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.arguments import Arguments, unknown_option
from nas.cli.begin import begin
from nas.cli.experiments import is_path, load_experiment, load_variants
from nas.cli.output import complain, say
from nas.cli.session import Pairs, apply_given, given_pairs, is_tabular
from nas.cli.stages import Stage
from nas.errors import UserError, nearest

if TYPE_CHECKING:
    from nas.cli.experiments import AnyExperiment
    from nas.stages.sweep import Variant

# Names under which --vary chooses among the variants of a file.
CHOOSES = ("variant", "strategy")
_SEEDS = 5
_STAGES = "train,rank"
# What a result may depend on besides this package.
_VERSIONS = ("jax", "jaxlib", "flax", "optax", "numpy")
Choice = tuple[str, tuple[str, ...]]


def sweep(stage: Stage, arguments: Arguments) -> int:
    """Run an experiment over seeds and variants."""
    begin(arguments)
    from nas.runtime import processes
    from nas.stages.sweep import Sweep
    from nas.stages.sweep import sweep as carry_out

    if not arguments.names:
        raise UserError("Which experiment? Give a name or the path of your own file.")
    name, variants = read_variants(stage, arguments)
    stages = "search" if is_tabular(variants[0].experiment) else _STAGES
    folder = Path(arguments.one("workdir") or f"runs/{name}_sweep").expanduser()
    plan = Sweep(
        folder,
        variants,
        read_seeds(arguments.one("seeds")),
        tuple((arguments.one("stages") or stages).split(",")),
        arguments.flag("keep-checkpoints"),
    )

    def tell(message: str) -> None:
        if processes.is_main():
            say(message)

    failures = carry_out(plan, tell, _provenance(stage, arguments))
    if not processes.is_main():
        return 2 if failures else 0
    for failure in failures:
        complain(f"{failure.variant}, seed {failure.seed}: {failure.reason}")
    say(f"Next: nas compare {shlex.quote(str(folder))}")
    return 2 if failures else 0


def compare(stage: Stage, arguments: Arguments) -> int:
    """Compare finished runs, and write what was found."""
    for name, _ in arguments.settings:
        raise UserError(unknown_option(name, [o.name for o in stage.options]))
    if not arguments.names:
        raise UserError("Compare what? Give folders of sweeps or of runs.")
    from nas.cli.comparison import print_comparison
    from nas.comparison.budgets import TITLES
    from nas.stages.compare import compare as hold
    from nas.stages.compare import write_comparison

    budget = arguments.one("budget") or "examples"
    if budget not in TITLES:
        raise UserError(f"--budget {budget}: unknown. {nearest(budget, TITLES)}")
    folders = [Path(name).expanduser() for name in arguments.names]
    found = hold(
        folders, arguments.one("baseline"), arguments.options.get("quantity", ())
    )
    written = write_comparison(
        found, arguments.one("out") or default_out(folders), budget
    )
    print_comparison(found, written)
    return 0


def read_seeds(text: str | None) -> tuple[int, ...]:
    """Read seeds: how many, or which with commas.

    Raises:
      UserError: it is neither.
    """
    try:
        numbers = [int(part) for part in (text or str(_SEEDS)).split(",") if part]
    except ValueError:
        numbers = []
    counted = "," not in (text or "")
    if not numbers or min(numbers) < 0 or (counted and numbers[0] < 1):
        raise UserError(
            f"--seeds {text}: give how many, such as 5, or which, such as 0,3,7 (7, "
            "for a single one)."
        )
    return tuple(range(numbers[0])) if counted else tuple(numbers)


def read_choices(texts: Sequence[str]) -> list[Choice]:
    """Read each `--vary NAME=V1,V2`.

    Raises:
      UserError: there is no name or no value, or one occurs twice.
    """
    found: list[Choice] = []
    for text in texts:
        name, _, values = text.partition("=")
        parts = tuple(part.strip() for part in values.split(","))
        name = name.strip()
        if not name or not all(parts) or len(set(parts)) < len(parts):
            raise UserError(
                f"--vary {text}: give NAME=V1,V2 with different values, such as "
                "training.steps=500,1000."
            )
        if name in CHOOSES:
            name = CHOOSES[0]
        found.append((name, parts))
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise UserError(
            f"--vary: {', '.join(names)}: give all values of a name in one --vary."
        )
    return found


def read_variants(
    stage: Stage, arguments: Arguments
) -> tuple[str, tuple["Variant", ...]]:
    """Build the variants of a sweep.

    Args:
      stage: for its options.
      arguments: the command.

    Returns:
      The name of the experiment, and its variants with all settings.

    Raises:
      UserError: a variant or a setting is unknown or refused.
    """
    from nas.stages.sweep import Variant

    reference = arguments.names[0]
    experiment, _ = load_experiment(reference)
    choices = dict(read_choices(arguments.options.get("vary", ())))
    chosen = _chosen(
        reference, experiment, load_variants(reference), choices.pop(CHOOSES[0], None)
    )
    if is_path(reference):
        reference = str(Path(reference).expanduser().absolute())
    given = given_pairs(arguments)
    made = []
    for name, base in chosen.items():
        for values in itertools.product(*choices.values()):
            varied = tuple(zip(choices, values, strict=True))
            label = _label(name, varied, alone=len(chosen) == 1 and bool(varied))
            settings: Pairs = (*given, *varied)
            try:
                built = apply_given(base, settings, stage.options)
            except UserError as error:
                raise UserError(f"Variant {label}: {error}") from error
            command = {
                "experiment": reference,
                "variant": name,
                "settings": [list(pair) for pair in settings],
            }
            made.append(Variant(label, built, command))
    return experiment.name, tuple(made)


def default_out(folders: Sequence[Path]) -> Path:
    """Give where a comparison is written: the folder, or what holds them all."""
    if len(folders) == 1:
        return folders[0]
    return Path(os.path.commonpath([folder.absolute() for folder in folders]))


def _chosen(
    reference: str,
    experiment: "AnyExperiment",
    variants: Mapping[str, "AnyExperiment"],
    names: tuple[str, ...] | None,
) -> dict[str, "AnyExperiment"]:
    """Choose among the variants of a file; without any there is the experiment."""
    if names is None:
        return dict(variants) or {experiment.name: experiment}
    if not variants:
        raise UserError(
            f"--vary variant={','.join(names)}: {reference} defines no variants. Write "
            'there: variants = {"plain": experiment, ..}'
        )
    for name in names:
        if name not in variants:
            raise UserError(
                f"--vary: {reference} has no variant {name!r}. "
                f"{nearest(name, variants)}"
            )
    return {name: variants[name] for name in names}


def _label(name: str, varied: Pairs, alone: bool) -> str:
    """Name a variant, and so its folder."""
    parts = [f"{path}={text}" for path, text in varied]
    return ",".join(parts if alone else [name, *parts]).replace("/", "_")


def _provenance(stage: Stage, arguments: Arguments) -> dict[str, Any]:
    """Say what was asked for, when, and on what machine."""
    import jax

    tokens = ["nas", stage.name, *arguments.names]
    for name, values in arguments.options.items():
        for value in values:
            tokens += [f"--{name}", *([value] if value else [])]
    for name, text in arguments.settings:
        tokens += [f"--{name}", *([text] if text else [])]
    device = jax.devices()[0]
    return {
        "command": shlex.join(tokens),
        "date": datetime.date.today().isoformat(),
        "device": f"{len(jax.devices())} x {device.platform}: {device.device_kind}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _VERSIONS},
    }

"""What a member of the front is worth beyond the weights that it inherited.

Its error with inherited weights, fine-tuned from them and, if asked for, trained from
scratch stands beside that of a hand-made network: the one of the uniformly scaled
family whose multiply-accumulates are nearest. All errors are of the report split. What
is compared with another has the same number of updates, on the same batches.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.runtime.mesh import host
from nas.runtime.processes import barrier, is_main
from nas.runtime.workdir import write_json_atomic
from nas.search.uniform import closest_uniform
from nas.stages.export import (
    SAMPLES,
    export,
    own_weights,
    pick_weights,
    picked,
    searched_cost,
)
from nas.stages.front import Member, read_front
from nas.stages.standalone import (
    Budget,
    Trained,
    calibrated_stats,
    float32_supernet,
    fresh_weights,
    inference_program,
    measure,
    subnet_of,
    train_alone,
)
from nas.stages.train import load_trained

if TYPE_CHECKING:
    from nas.run import Run

CARD = "card.json"
FINETUNED = "finetuned"
# Inherited weights are near a minimum already: a fifth of the supernet's peak.
_GENTLER = 5


def finetune(run: "Run", subnet_id: str, also_scratch: bool) -> dict[str, Any]:
    """Fine-tune a member of the front, and compare; see `Run.finetune`.

    Args:
      run: searched and measured again.
      subnet_id: an id of `front.json`, or `best` or `knee`.
      also_scratch: train it from scratch too, and the hand-made network.

    Returns:
      What `card.json` then says under `finetune`: `budget`, and by the name of the
      network (`inherited`, `finetuned`, `uniform_inherited`, and with `also_scratch`
      `scratch` and `uniform`) its `error`, `error_interval`, `nll`, on how much they
      were measured, `macs`, `params`, `id`, `steps`, `learning_rate` and `seed`.

    Raises:
      UserError: there is no front, no such member, or training did not converge.
      Interrupted: the process was told to stop; run again to go on.
    """
    member = _member(run, subnet_id)
    genotype = np.asarray(member.genotype, np.int32)
    supernet = run.supernet
    hand_made = closest_uniform(supernet, max(member.objectives["macs"], 1))
    weights = host(pick_weights(load_trained(run)))
    gentle, full = _budgets(run)

    inherited = _inherited(run, weights, genotype)
    results = {
        "inherited": _entry(run, genotype, _exported(run, member, inherited), None)
    }
    tuned = train_alone(
        run,
        "finetune",
        f"{member.id}_finetuned",
        genotype,
        inherited.params,
        gentle,
    )
    written = _export(run, genotype, tuned, gentle)
    results["finetuned"] = _entry(run, genotype, written, gentle)
    if also_scratch:
        results["scratch"] = _scratch(run, member, "scratch", genotype, full)
    other = _inherited(run, weights, hand_made)
    results["uniform_inherited"] = _entry(run, hand_made, other.measured, None)
    if also_scratch:
        same = np.array_equal(hand_made, genotype)
        results["uniform"] = (
            results["scratch"]
            if same
            else _scratch(run, member, "uniform", hand_made, full)
        )
    words = _budget_words(run, also_scratch)
    if np.array_equal(hand_made, genotype):
        words += " The hand-made network of the nearest cost is the member itself."
    found = {"budget": words} | results
    _write_card(run, member, found)
    for name, entry in results.items():
        run.notify(_line(name, entry))
    return found


def _member(run: "Run", subnet_id: str) -> Member:
    """Find the member, and see to it that it is exported."""
    members: Sequence[Member]
    members = read_front(run) if run.workdir is not None else run.front()
    chosen = picked(members, subnet_id, searched_cost(run))
    if len(chosen) > 1:
        ids = ", ".join(member.id for member in chosen)
        raise UserError(f"finetune takes one subnet. Give one of: {ids}.")
    if run.workdir is not None:
        missing = not (run.workdir.subnet(chosen[0].id) / CARD).exists()
        barrier("finetune: looked for the card")
        if missing:
            return export(run, chosen[0].id)[0]
    return chosen[0]


def _budgets(run: "Run") -> tuple[Budget, Budget]:
    """Give the budgets of fine-tuning and of training from scratch: equally long."""
    settings, experiment = run.experiment.finetune, run.experiment
    peak = experiment.optimizer.learning_rate
    rates = (
        settings.learning_rate or peak / _GENTLER,
        settings.scratch_learning_rate or peak,
    )
    gentle, full = (
        Budget(settings.steps, settings.batch_size, rate, experiment.seed)
        for rate in rates
    )
    return gentle, full


def _inherited(run: "Run", weights: Any, genotype: np.ndarray) -> Trained:
    """Cut a network out of the supernet, calibrate it, and measure it."""
    own = own_weights(weights, genotype)
    params = float32_supernet(run).extract(own, None, genotype)["params"]
    params = jax.tree.map(np.asarray, params)
    network = subnet_of(run, genotype)
    stats = host(calibrated_stats(run, network, params))
    return Trained(params, stats, measure(run, network, params, stats))


def _scratch(
    run: "Run", member: Member, what: str, genotype: np.ndarray, budget: Budget
) -> dict[str, Any]:
    start = fresh_weights(run, genotype, budget.seed)
    name = f"{member.id}_{what}"
    trained = train_alone(run, "finetune", name, genotype, start, budget)
    return _entry(run, genotype, trained.measured, budget)


def _exported(run: "Run", member: Member, inherited: Trained) -> dict[str, Any]:
    """Give the numbers of the exported file, if there is one."""
    if run.workdir is None:
        return inherited.measured
    card = _read_card(run.workdir.subnet(member.id) / CARD)
    return {name: card.get(name) for name in inherited.measured}


def _entry(
    run: "Run",
    genotype: np.ndarray,
    measured: dict[str, Any],
    budget: Budget | None,
) -> dict[str, Any]:
    """Say what one network is worth, what it costs, and how it came about."""
    costs = run.supernet.costs(genotype[None])
    entry = dict(measured)
    entry |= {name: int(costs[name][0]) for name in ("macs", "params")}
    entry |= {
        "id": run.supernet.space.id(genotype),
        "steps": budget.steps if budget else 0,
        "seed": run.experiment.seed,
    }
    return entry | ({"learning_rate": budget.learning_rate} if budget else {})


def _budget_words(run: "Run", also_scratch: bool) -> str:
    """Say what the numbers may be compared by."""
    experiment, settings = run.experiment, run.experiment.finetune
    text = (
        f"Fine-tuning: {settings.steps} updates of {settings.batch_size} "
        f"{run.preprocessing.kind.words.examples}, after the "
        f"{experiment.training.steps} of the supernet, which all architectures shared."
    )
    if also_scratch:
        text += (
            f" From scratch, the member and the hand-made network: {settings.steps} "
            "updates each on the same batches, and none before. More would help them."
        )
    return text


def _line(name: str, entry: dict[str, Any]) -> str:
    """Say a network's error in a line."""
    low, high = entry["error_interval"]
    return (
        f"{name.replace('_', ' ')} ({entry['id']}): error {entry['error']:.2%}, 95 % "
        f"interval {low:.2%} to {high:.2%}; {entry['macs']:,} MACs; "
        f"{entry['steps']} updates of its own"
    )


def _export(
    run: "Run", genotype: np.ndarray, tuned: Trained, budget: Budget
) -> dict[str, Any]:
    """Write the fine-tuned network, and give the numbers of its file."""
    measured = tuned.measured
    if run.workdir is not None and is_main():
        from nas.export import export_subnet

        network = subnet_of(run, genotype)
        inputs = run.splits.report.inputs[:SAMPLES]
        program = inference_program(run, network, tuned.params, tuned.stats)
        settings = {"steps": budget.steps, "learning_rate": budget.learning_rate}
        exported = export_subnet(
            run.workdir.path / FINETUNED / run.supernet.space.id(genotype),
            supernet=float32_supernet(run).plain,
            genotype=genotype,
            extracted={"params": tuned.params, "stats": tuned.stats},
            preprocessing=run.preprocessing,
            class_names=run.splits.class_names,
            sample_inputs=inputs,
            reference_logits=np.asarray(jax.jit(program)(jnp.asarray(inputs))),
            report=run.splits.report,
            card={
                "experiment": run.experiment.name,
                "weights": "fine-tuned",
                "training": settings,
            },
            tolerance=run.experiment.export.tolerance,
        )
        measured = {name: exported.card[name] for name in measured}
    barrier("finetune: exported")
    return measured


def _write_card(run: "Run", member: Member, found: dict[str, Any]) -> None:
    """Put the comparison into the card of the exported, inherited network."""
    if run.workdir is not None and is_main():
        path = run.workdir.subnet(member.id) / CARD
        write_json_atomic(path, _read_card(path) | {"finetune": found})
    barrier("finetune: card")


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(card, dict) or "error" not in card:
            raise ValueError("it has no error")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {error}. Export the subnet again: nas export."
        ) from error
    return card

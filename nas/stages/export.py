"""Write members of the front as networks of their own.

The statistics are calibrated in the supernet, then weights and statistics are cut out,
then everything that leaves is held against the supernet. What `front.json` says of a
member afterwards is what its exported file does on the report split.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError, nearest
from nas.partition import assign
from nas.runtime.mesh import host
from nas.runtime.processes import barrier, is_main
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.stages.front import Member, make_member, read_front, write_front
from nas.stages.train import load_trained
from nas.training.averaging import evaluated
from search_spaces import Architecture

if TYPE_CHECKING:
    from nas.run import Run

SAMPLES = 128

Reference = Callable[..., tuple[Any, jax.Array]]


def export(
    run: "Run", pick: str = "all", folder: str | None = None
) -> Sequence[Member]:
    """Export members of the front; see `Run.export`."""
    members = read_front(run) if run.workdir is not None else list(run.front())
    if folder is None and run.workdir is None:
        raise UserError("export: give a folder, as this run has no workdir.")
    root = Path(folder) if folder is not None else run.workdir.subnets  # type: ignore
    chosen = picked(members, pick, searched_cost(run))
    trained = host(pick_weights(load_trained(run)))
    written: dict[str, Member] = {}
    reference = _reference_program(run)
    if is_main():
        if folder is None:
            _remove_others(root, {member.id for member in members})
        with StopSignals() as stop, Progress("export", len(chosen), unit="nets") as bar:
            for i, member in enumerate(chosen):
                written[member.id] = _export_one(run, reference, trained, member, root)
                bar.update(i + 1)
                if stop.requested:
                    raise stop.interrupted()
    barrier("export")
    members = [written.get(member.id, member) for member in members]
    write_front(run, members)
    return [member for member in members if member.id in {m.id for m in chosen}]


def searched_cost(run: "Run") -> str:
    """Name the first cost that the latest search minimised; `macs` if it had none."""
    known = run.costs(run.supernet.smallest()[None])
    return next((n for n in run.experiment.search.objectives if n in known), "macs")


def picked(members: Sequence[Member], pick: str, cost: str) -> list[Member]:
    """Choose members by `all`, `knee`, `best` or an id.

    The knee is the member farthest below the line between the two ends of the front,
    each objective on the scale of the front. The best has the lowest loss.

    Args:
      members: of the front.
      pick: which.
      cost: the objective that the knee holds against the loss.

    Returns:
      At least one member.

    Raises:
      UserError: no member has that id.
    """
    if pick == "all":
        return list(members)
    losses = np.array([m.objectives["nll"] for m in members])
    if pick == "best":
        return [members[int(losses.argmin())]]
    if pick == "knee":
        found = np.array([m.objectives[cost] for m in members], np.float64)
        # Counts may be 0; milliseconds are often below 1.
        costs = np.log(np.maximum(found, min(found[found > 0], default=1.0)))
        return [members[_knee(losses, costs)]]
    by_id = {member.id: member for member in members}
    if pick not in by_id:
        raise UserError(
            f"The front has no member {pick!r}. "
            f"{nearest(pick, [*by_id, 'all', 'best', 'knee'])}"
        )
    return [by_id[pick]]


def _knee(losses: np.ndarray, costs: np.ndarray) -> int:
    def scaled(values: np.ndarray) -> np.ndarray:
        span = values.max() - values.min()
        return (values - values.min()) / (span if span > 0 else 1)

    return int((scaled(losses) + scaled(costs)).argmin())


def pick_weights(trained: Any) -> dict[str, Any]:
    """Give what `own_weights` needs of a trained state."""
    return {"params": evaluated(trained), "allowed": trained["allowed"]}


def own_weights(trained: Any, genotype: np.ndarray) -> Any:
    """Give the weights of the sub-supernet that a genotype belongs to.

    Args:
      trained: numpy `params` with a leading axis S, and `allowed`.
      genotype: `int32[D]`.

    Returns:
      The weights without that axis.
    """
    allowed = jnp.asarray(trained["allowed"])
    s = int(assign(allowed, jnp.asarray(genotype, jnp.int32)))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[s]), trained["params"])


def _export_one(
    run: "Run", reference: Reference, trained: Any, member: Member, root: Path
) -> Member:
    from nas.export import export_subnet

    genotype = np.asarray(member.genotype, np.int32)
    supernet = run.supernet.with_precision("float32")
    own = own_weights(trained, genotype)
    with jax.default_matmul_precision("highest"):
        inputs = run.splits.report.inputs[:SAMPLES]
        stats, logits = reference(
            own, jnp.asarray(genotype), run.evaluator.calibration_inputs, inputs
        )
        extracted = supernet.extract(own, stats, genotype)
        exported = export_subnet(
            root / member.id,
            supernet=supernet.plain,
            genotype=genotype,
            extracted=extracted,
            preprocessing=run.preprocessing,
            class_names=run.splits.class_names,
            sample_inputs=inputs,
            reference_logits=np.asarray(logits),
            report=run.splits.report,
            card={"experiment": run.experiment.name, "weights": "inherited"},
            tolerance=run.experiment.export.tolerance,
        )
    values = member.objectives | {
        name: exported.card[name] for name in ("nll", "error")
    }
    low, high = exported.card["error_interval"]
    return make_member(run, genotype, values, (low, high), member.dominated)


def _reference_program(run: "Run") -> Reference:
    """Compile calibration and inference in float32, once for all members."""
    supernet, preprocessing = run.supernet.with_precision("float32"), run.preprocessing

    def reference(
        own: Any, genotype: jax.Array, calibration: jax.Array, inputs: jax.Array
    ) -> tuple[Any, jax.Array]:
        arch = Architecture.hard(supernet.space, genotype)
        stats = supernet.calibrate(own, arch, preprocessing(calibration))
        outputs = supernet.apply(own, stats, arch, preprocessing(inputs))
        return stats, outputs.logits

    return jax.jit(reference)


def _remove_others(root: Path, ids: set[str]) -> None:
    """Remove folders of members that a later search took off the front."""
    for path in root.iterdir() if root.is_dir() else ():
        if path.is_dir() and path.name not in ids:
            shutil.rmtree(path)

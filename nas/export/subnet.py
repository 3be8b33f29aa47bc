"""Export one subnet: a folder that holds a network, its programs and the proof.

The supernet's statistics are calibrated, then weights and statistics are extracted,
then everything that leaves is compared with the supernet in inference mode. What
differs beyond the tolerance does not leave.
"""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nas.data import Kind, Preprocessing
from nas.errors import UserError
from nas.export.architecture import ARCHITECTURE, SubnetDescription
from nas.export.card import (
    Labelled,
    build_card,
    describe_machine,
    evaluate_program,
    measure_latency,
)
from nas.export.errors import ExportError
from nas.export.load import PARITY, WEIGHTS, build_module, sha256
from nas.export.parity import Comparison, compare, require_parity
from nas.export.programs import (
    Program,
    load_batched,
    lower_batched,
    lower_single,
    make_program,
)
from nas.export.stablehlo import compile_stablehlo
from nas.export.weights import pack_weights
from nas.runtime.workdir import StorageError, refusal, write_json_atomic
from supernets.base import Supernet

CARD = "card.json"
STABLEHLO = "model.stablehlo"
JAX_EXPORT = "model.jax_export"
PREDICT = "predict.py"
PARITY_SCHEMA = 1
TOLERANCE = 1e-4

# Each costs a call of its own, as the program takes one example.
_MAX_SINGLE = 16
_MIN_BATCH = 64


@dataclasses.dataclass(frozen=True)
class ExportedSubnet:
    """What `export_subnet` wrote.

    Attributes:
      path: the folder.
      id: its name.
      card: the contents of `card.json`.
      parity: the contents of `parity.json`.
    """

    path: Path
    id: str
    card: dict[str, Any]
    parity: dict[str, Any]


def export_subnet(
    directory: str | os.PathLike[str],
    *,
    supernet: Supernet,
    genotype: np.ndarray,
    extracted: Mapping[str, Any],
    preprocessing: Preprocessing,
    class_names: Sequence[str],
    sample_inputs: np.ndarray,
    reference_logits: np.ndarray,
    report: Labelled | None = None,
    card: Mapping[str, Any] | None = None,
    tolerance: float = TOLERANCE,
) -> ExportedSubnet:
    """Write a subnet's folder, or refuse and leave nothing.

    An earlier folder of this name is replaced. Call it in one process only.

    Args:
      directory: the folder, which should be named `space.id(genotype)`.
      supernet: that the subnet is cut out of.
      genotype: `int[D]`.
      extracted: `{"params": .., "stats": ..}` from `supernet.extract`, after
        calibration, or the same tree after fine-tuning.
      preprocessing: from raw inputs to the network's.
      class_names: what each logit means.
      sample_inputs: raw ones to compare on, [N, ..]; 64 to 256 are a good number.
      reference_logits: float [N, ..] of these inputs: the supernet's, or
        those of a network that was trained further. In inference mode, computed in
        float32 at highest matmul precision, whatever the precision of training.
      report: the report split; the error in the card is `model.jax_export`'s on it.
      card: what else `card.json` should say.
      tolerance: for `max|a - b| / max|b|` of each comparison.

    Returns:
      Where it is, and what was measured.

    Raises:
      ExportError: something computes other logits than the supernet does.
      UserError: the arguments do not belong together.
      StorageError: the disk refuses.
    """
    description = SubnetDescription(
        supernet,
        supernet.space.canonical(supernet.space.validate(genotype)),
        preprocessing,
        tuple(class_names),
    )
    _check_inputs(description, sample_inputs)
    extracted = jax.tree.map(np.asarray, dict(extracted))
    files = _Files(description, extracted)
    comparisons, latency = files.check(sample_inputs, np.asarray(reference_logits))
    require_parity(comparisons, tolerance, f"Subnet {description.id}")
    measured = None
    if report is not None:
        batch_size = max(len(sample_inputs), _MIN_BATCH)
        found = evaluate_program(files.batched, report, batch_size)
        measured = found.to_json(preprocessing.kind)
    costs = supernet.costs(description.genotype[None])
    content = build_card(
        subnet_id=description.id,
        evaluation=measured,
        cost={name: int(values[0]) for name, values in costs.items()},
        file_bytes={name: len(data) for name, data in files.contents.items()},
        latency=latency,
        extra=card or {},
    )
    parity = {
        "schema": PARITY_SCHEMA,
        "tolerance": tolerance,
        "checks": {c.name: c.to_json() for c in comparisons},
        "sha256": {name: sha256(data) for name, data in files.contents.items()},
        "measured_on": describe_machine(),
    }
    target = Path(directory)
    with _replacing(target) as folder:
        for name, data in files.contents.items():
            (folder / name).write_bytes(data)
        shutil.copyfile(predict_source(preprocessing.kind), folder / PREDICT)
        write_json_atomic(folder / ARCHITECTURE, description.to_json())
        write_json_atomic(folder / CARD, content)
        write_json_atomic(folder / PARITY, parity)
    return ExportedSubnet(target, description.id, content, parity)


def predict_source(kind: Kind) -> Path:
    """Return the script that leaves with networks for a kind of examples."""
    return Path(__file__).with_name(f"predict_{kind.NAME}.py")


class _Files:
    """A subnet's weights and programs, as bytes and running again from the bytes."""

    def __init__(
        self, description: SubnetDescription, extracted: Mapping[str, Any]
    ) -> None:
        try:
            module = build_module(description, extracted)
        except ValueError as error:
            raise ExportError(f"Not exported: {error}") from error
        program = make_program(module, description.preprocessing)
        shape, dtype = description.input.shape, description.input.dtype
        self.contents = {
            WEIGHTS: pack_weights(extracted),
            STABLEHLO: lower_single(program, shape, dtype),
            JAX_EXPORT: lower_batched(program, shape, dtype),
        }
        self.module: Program = jax.jit(program)
        self.batched = load_batched(self.contents[JAX_EXPORT])
        self.single = compile_stablehlo(self.contents[STABLEHLO])

    def check(
        self, inputs: np.ndarray, reference: np.ndarray
    ) -> tuple[list[Comparison], dict[str, Any]]:
        """Compare each form with the one it was made from; time the last."""
        module = np.asarray(self.module(inputs))
        batched = np.asarray(self.batched(inputs))
        few = inputs[:_MAX_SINGLE]
        single = np.concatenate([self.single(example[None]) for example in few])
        comparisons = [
            compare("module_vs_supernet", module, reference),
            compare("jax_export_vs_module", batched, module),
            compare("stablehlo_vs_module", single, module[: len(few)]),
        ]
        return comparisons, measure_latency(self.single, inputs[:1])


def _check_inputs(description: SubnetDescription, inputs: np.ndarray) -> None:
    shape, dtype = description.input.shape, description.input.dtype
    if inputs.shape[1:] != shape or str(inputs.dtype) != dtype or not len(inputs):
        raise UserError(
            f"sample_inputs: found {inputs.dtype} {list(inputs.shape)}; this network "
            f"takes {dtype} [N, {', '.join(map(str, shape))}], with N at least 1."
        )


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a folder to fill, and put it in the target's place if all went well."""
    # Names without a number, so that what a killed export left is cleared by the next.
    partial = target.with_name(f".{target.name}.partial")
    old = target.with_name(f".{target.name}.old")
    try:
        for leftover in (partial, old):
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir(parents=True)
        yield partial
        if target.exists():
            target.rename(old)
        partial.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise StorageError(refusal(error, str(target))) from error
    finally:
        if not target.exists() and old.exists():
            old.rename(target)
        shutil.rmtree(partial, ignore_errors=True)

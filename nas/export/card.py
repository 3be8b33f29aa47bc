"""What a subnet is worth and costs, as measured on its exported programs."""

import dataclasses
import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from nas.data.pipeline import evaluation_batches
from nas.evaluation.interval import wilson

CARD_SCHEMA = 1


class LabelledImages(Protocol):
    """Anything with `inputs`, uint8 [N, H, W, C], and `labels`, int32 [N]."""

    @property
    def inputs(self) -> np.ndarray:
        """The inputs."""
        ...

    @property
    def labels(self) -> np.ndarray:
        """Their classes."""
        ...


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a program answered on a split.

    Attributes:
      num_images: N.
      num_errors: how many of them it got wrong.
      nll: mean negative log-likelihood of the right class, in nats.
    """

    num_images: int
    num_errors: int
    nll: float

    def to_json(self) -> dict[str, Any]:
        """Write the error with Wilson's 95 % interval, as JSON values."""
        return {
            "error": self.num_errors / self.num_images,
            "error_interval": list(wilson(self.num_errors, self.num_images)),
            "nll": self.nll if math.isfinite(self.nll) else None,
            "num_images": self.num_images,
        }


def evaluate_program(
    program: Callable[..., Any], split: LabelledImages, batch_size: int
) -> Evaluation:
    """Count what an exported program gets wrong.

    Args:
      program: from uint8 [B, H, W, C] to logits [B, num_classes].
      split: the inputs and their classes, each counted once.
      batch_size: B.

    Returns:
      The counts.
    """
    indices, weights = evaluation_batches(len(split.labels), batch_size)
    num_errors, nll = 0, 0.0
    for rows, weight in zip(indices, weights, strict=True):
        logits = np.asarray(program(split.inputs[rows]), np.float64)
        labels, real = split.labels[rows], weight > 0
        top = logits.max(-1)
        log_sum = top + np.log(np.exp(logits - top[:, None]).sum(-1))
        picked = np.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]
        num_errors += int((logits.argmax(-1) != labels)[real].sum())
        nll += float((log_sum - picked)[real].sum())
    return Evaluation(len(split.labels), num_errors, nll / len(split.labels))


def measure_latency(
    run: Callable[[np.ndarray], Any],
    example: np.ndarray,
    num_runs: int = 30,
    num_warm_up: int = 5,
) -> dict[str, Any]:
    """Time a compiled program on this machine, transfers included.

    Args:
      run: returns when the output is on the host.
      example: its input, a batch of 1.
      num_runs: timed runs.
      num_warm_up: runs before them.

    Returns:
      Median and quartiles in milliseconds, and what they were measured on.
    """
    for _ in range(num_warm_up):
        run(example)
    times_ms = []
    for _ in range(num_runs):
        start = time.perf_counter()
        run(example)
        times_ms.append(1e3 * (time.perf_counter() - start))
    low, median, high = np.percentile(times_ms, (25, 50, 75)).tolist()
    return {
        "median_ms": median,
        "quartiles_ms": [low, high],
        "num_runs": num_runs,
        "batch_size": len(example),
    } | describe_machine()


def describe_machine() -> dict[str, Any]:
    """Name the device and the versions that a measurement depends on."""
    device = jax.local_devices()[0]
    return {
        "platform": device.platform,
        "device": device.device_kind,
        "machine": platform.machine(),
        "num_cpus": os.cpu_count(),
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def build_card(
    *,
    subnet_id: str,
    evaluation: Evaluation | None,
    cost: Mapping[str, int],
    file_bytes: Mapping[str, int],
    latency: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Put `card.json` together.

    Args:
      subnet_id: of the folder.
      evaluation: on the report split, or None if there is none.
      cost: `macs` (multiply-accumulates of one example), `params` and `bytes`.
      file_bytes: size of each exported file.
      latency: from `measure_latency`.
      extra: what the caller knows besides.

    Returns:
      JSON data.

    Raises:
      ValueError: `extra` has a key that is measured here.
    """
    card: dict[str, Any] = {"schema": CARD_SCHEMA, "id": subnet_id}
    card |= evaluation.to_json() if evaluation else {}
    card |= {name: int(value) for name, value in cost.items()}
    card |= {"file_bytes": dict(file_bytes), "latency": dict(latency)}
    repeated = sorted(card.keys() & extra.keys())
    if repeated:
        raise ValueError(
            f"The card measures {', '.join(repeated)} itself; leave it out."
        )
    return card | dict(extra)

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

from nas.data import Kind, evaluation_batches
from nas.evaluation.interval import error_interval

CARD_SCHEMA = 1


class Labelled(Protocol):
    """Anything with raw `inputs`, [N, ..], and `labels`, int32 [N] or [N, T]."""

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
      num_examples: N.
      num_places: labels of one example: 1, or T tokens.
      error: the fraction of labels that it got wrong.
      error_variance: of the error of one example, over examples.
      nll: mean negative log-likelihood of the right class, in nats.
    """

    num_examples: int
    num_places: int
    error: float
    error_variance: float
    nll: float

    def to_json(self, kind: Kind) -> dict[str, Any]:
        """Write as JSON values, the error with its 95 % interval.

        The interval is over examples (`error_interval`): the tokens of one window are
        not independent.

        Args:
          kind: what the examples are.

        Returns:
          `error`, `error_interval`, `nll`, and on how much they were measured.
        """
        interval = error_interval(
            self.error, self.error_variance, self.num_examples, self.num_places
        )
        nll = self.nll if math.isfinite(self.nll) else None
        values = {"error": self.error, "error_interval": list(interval), "nll": nll}
        return values | kind.measured(self.num_examples, self.num_places, nll)


def evaluate_program(
    program: Callable[..., Any], split: Labelled, batch_size: int
) -> Evaluation:
    """Count what an exported program gets wrong.

    Args:
      program: from raw inputs [B, ..] to logits, [B, num_classes] or [B, T, V].
      split: the inputs and their classes, each counted once.
      batch_size: B.

    Returns:
      The counts.
    """
    indices, weights = evaluation_batches(len(split.labels), batch_size)
    errors, nlls = [], []
    for rows, weight in zip(indices, weights, strict=True):
        logits = np.asarray(program(split.inputs[rows]), np.float64)
        labels, real = split.labels[rows], weight > 0
        top = logits.max(-1, keepdims=True)
        log_sum = top[..., 0] + np.log(np.exp(logits - top).sum(-1))
        picked = np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
        wrong = (logits.argmax(-1) != labels).astype(np.float64)
        errors.append(wrong.reshape(len(rows), -1)[real])
        nlls.append((log_sum - picked).reshape(len(rows), -1)[real])
    error = np.concatenate(errors)  # [N, places]
    return Evaluation(
        *error.shape,
        error=float(error.mean()),
        error_variance=float(error.mean(1).var()),
        nll=float(np.concatenate(nlls).mean()),
    )


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
    evaluation: Mapping[str, Any] | None,
    cost: Mapping[str, int],
    file_bytes: Mapping[str, int],
    latency: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Put `card.json` together.

    Args:
      subnet_id: of the folder.
      evaluation: `Evaluation.to_json` of the report split, or None.
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
    card |= evaluation or {}
    card |= {name: int(value) for name, value in cost.items()}
    card |= {"file_bytes": dict(file_bytes), "latency": dict(latency)}
    repeated = sorted(card.keys() & extra.keys())
    if repeated:
        raise ValueError(
            f"The card measures {', '.join(repeated)} itself; leave it out."
        )
    return card | dict(extra)

"""The training step of the full NAS-Bench-201 supernet, against plain PyTorch.

16 channels, 5 cells a stage, 32x32 images, batches of 64, SGD with momentum, one random
cell a step; the step of this project's engine, batch drawing and update included,
against a plain PyTorch supernet in both of its memory layouts. Blocks alternate over
the same sequence of cells. Both networks are first shown to be the same function.

Command: python -m experiments.benchmarks.supernet_step
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.blocks import CLOCKS, alternate, ratio
from experiments.benchmarks.record import milliseconds, parse, parser, save, show
from experiments.benchmarks.workloads import (
    RandomImages,
    benchmark_experiment,
    train_block,
)
from nas.run import Run
from nas.training.optimizer import SGD
from search_spaces import Architecture
from supernets import NASBench201Supernet

INSTALL = (
    "This benchmark measures against PyTorch, which is no dependency of this project. "
    "Install it into an environment of its own, beside this project:\n"
    "  python -m venv torch-env && torch-env/bin/pip install -e . torch\n"
    "  torch-env/bin/python -m experiments.benchmarks.supernet_step"
)
OPTIMIZER = SGD(learning_rate=0.025, weight_decay=5e-4, momentum=0.9, clip_norm=5.0)


def main() -> None:
    """Measure, and print a table."""
    made = parser(__doc__)
    made.add_argument("--channels", type=int, default=16)
    made.add_argument("--cells", type=int, default=5)
    made.add_argument("--side", type=int, default=32)
    made.add_argument("--batch-size", type=int, default=64)
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--steps", type=int, default=8, help="in a block")
    arguments = parse(made)
    if importlib.util.find_spec("torch") is None:
        print(INSTALL, file=sys.stderr)
        raise SystemExit(2)
    save(arguments, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time the three, and give the ratios."""
    supernet = NASBench201Supernet(
        channels=arguments.channels,
        cells=arguments.cells,
        input_shape=(arguments.side, arguments.side, 3),
    )
    num = arguments.rounds * arguments.steps
    genotypes = np.asarray(supernet.space.sample(jax.random.key(0), num))
    images = RandomImages(num=20 * arguments.batch_size, side=arguments.side)
    run = Run(
        benchmark_experiment(
            supernet, genotypes, OPTIMIZER, arguments.batch_size, images
        )
    )
    difference = same_function(run, genotypes[:4])
    times = alternate(
        {
            "this project": train_block(run, arguments.steps),
            "PyTorch, contiguous": torch_block(run, genotypes, arguments, False),
            "PyTorch, channels_last": torch_block(run, genotypes, arguments, True),
        },
        arguments.rounds,
        clock=CLOCKS[arguments.clock],
    )
    return report(times, arguments, difference)


def report(
    times: Mapping[str, np.ndarray], arguments: argparse.Namespace, difference: float
) -> dict[str, Any]:
    """Print the table, and give it as JSON values."""
    ours = times["this project"]
    rows: list[list[Any]] = [["step", "median", "this project's time / its time"]]
    result: dict[str, Any] = {"logits_relative_difference": difference, "steps": {}}
    for name, seconds in times.items():
        step = float(np.median(seconds)) / arguments.steps
        against = ratio(ours, seconds)
        rows.append([name, milliseconds(step), against if seconds is not ours else ""])
        result["steps"][name] = {"seconds": step, "ours_over_this": against}
    show(
        f"Full NAS-Bench-201 supernet, C={arguments.channels}, N={arguments.cells}, "
        f"{arguments.side}x{arguments.side}, batch {arguments.batch_size}",
        rows,
    )
    print(f"  same weights, same images: logits differ by {difference:.1e} (relative)")
    return result


def same_function(run: Run, genotypes: np.ndarray) -> float:
    """Compare the logits of both networks with the same weights.

    Returns:
      The greatest difference relative to the greatest logit.
    """
    import torch  # pyright: ignore[reportMissingImports]

    from experiments.benchmarks.torch_supernet import TorchSupernet

    supernet: Any = run.supernet
    params = supernet.init(jax.random.key(0))
    network = TorchSupernet(supernet).load(params)
    x = run.preprocessing(jnp.asarray(run.splits.search.inputs[:16]))

    @jax.jit
    def ours(genotype: jax.Array) -> jax.Array:
        arch = Architecture.hard(supernet.space, genotype)
        return supernet.apply(params, None, arch, x).logits

    worst = 0.0
    for genotype in genotypes:
        logits = np.asarray(ours(jnp.asarray(genotype)))
        with torch.no_grad():
            theirs = network(
                torch.from_numpy(np.array(x.transpose(0, 3, 1, 2))), genotype
            )
        gap = np.abs(logits - theirs.numpy()).max() / np.abs(logits).max()
        worst = max(worst, float(gap))
    if worst > 1e-3:
        raise RuntimeError(
            f"the PyTorch network is not the same function: logits differ by {worst}"
        )
    return worst


def torch_block(
    run: Run, genotypes: np.ndarray, arguments: argparse.Namespace, last: bool
) -> Callable[[int], None]:
    """Make a block of PyTorch training steps on the same images and cells."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn import functional  # pyright: ignore[reportMissingImports]

    from experiments.benchmarks.torch_supernet import TorchSupernet

    layout = torch.channels_last if last else torch.contiguous_format
    supernet: Any = run.supernet
    network = TorchSupernet(supernet).load(supernet.init(jax.random.key(0)))
    network = network.to(memory_format=layout)
    optimizer = torch.optim.SGD(
        network.parameters(),
        OPTIMIZER.learning_rate,
        OPTIMIZER.momentum,
        weight_decay=OPTIMIZER.weight_decay,
    )
    split = run.splits.weights
    images = torch.from_numpy(split.inputs.transpose(0, 3, 1, 2).copy())
    labels = torch.from_numpy(split.labels).long()
    preprocessing: Any = run.preprocessing
    mean, std = (
        torch.tensor(values)[:, None, None]
        for values in (preprocessing.mean, preprocessing.std)
    )
    order = torch.Generator().manual_seed(0)
    done = 0

    def block(number: int) -> None:
        nonlocal done
        del number
        for _ in range(arguments.steps):
            chosen = torch.randint(
                len(images), (arguments.batch_size,), generator=order
            )
            x = (images[chosen].float() / 255 - mean) / std
            x = x.contiguous(memory_format=layout)
            optimizer.zero_grad(set_to_none=True)
            logits = network(x, genotypes[done % len(genotypes)].tolist())
            functional.cross_entropy(logits, labels[chosen]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), OPTIMIZER.clip_norm)
            optimizer.step()
            done += 1

    return block


if __name__ == "__main__":
    main()

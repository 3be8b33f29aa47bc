"""The entangled training step of a vision transformer, against the plain network.

Entangled, every architecture costs what the largest does, because masks are data and
shapes are not; in exchange there is one program. The plain network is the extracted
subnet with shapes of its own, trained by this project's stand-alone step. Both are
timed at the largest architecture and at the one with the median multiply-accumulates.

Command: python -m experiments.benchmarks.entangled_step
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from experiments.benchmarks.blocks import CLOCKS, alternate, ratio
from experiments.benchmarks.record import milliseconds, parse, parser, save, show
from experiments.benchmarks.workloads import (
    RandomImages,
    benchmark_experiment,
    train_block,
)
from nas.data import BatchOrder
from nas.run import Run
from nas.runtime.mesh import replicated
from nas.training.optimizer import AdamW
from nas.training.standalone import StandaloneTraining
from search_spaces.vision_transformer import vision_transformer
from supernets import VisionTransformerSupernet
from supernets.standalone import functional

DRAWN = 2001


def main() -> None:
    """Measure, and print a table."""
    made = parser(__doc__)
    made.add_argument("--embed", type=int, nargs="+", default=(96, 144, 192))
    made.add_argument("--depth", type=int, nargs="+", default=(2, 3))
    made.add_argument("--heads", type=int, nargs="+", default=(3, 4, 6))
    made.add_argument("--side", type=int, default=32)
    made.add_argument("--batch-size", type=int, default=32)
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--steps", type=int, default=8, help="in a block")
    arguments = parse(made)
    save(arguments, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time all four, print the table, and give it as JSON values."""
    space = vision_transformer(
        "benchmark", arguments.embed, arguments.depth, arguments.heads, (2.0, 3.0, 4.0)
    )
    side = arguments.side
    supernet = VisionTransformerSupernet(
        space, patch_size=4, head_size=32, input_shape=(side, side, 3)
    )
    genotypes = {"largest": supernet.largest(), "median": median(supernet)}
    blocks: dict[str, Callable[[int], None]] = {}
    for name, genotype in genotypes.items():
        run = Run(
            benchmark_experiment(
                supernet,
                genotype[None],
                AdamW(),
                arguments.batch_size,
                RandomImages(num=20 * arguments.batch_size, side=side),
            )
        )
        blocks[f"entangled, {name}"] = train_block(run, arguments.steps)
        blocks[f"plain, {name}"] = plain_block(run, genotype, arguments.steps)
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    rows: list[list[Any]] = [
        ["architecture", "MACs", "entangled", "plain", "entangled / plain"]
    ]
    result: dict[str, Any] = {}
    for name, genotype in genotypes.items():
        macs = int(supernet.costs(genotype[None])["macs"][0])
        both = [times[f"{kind}, {name}"] for kind in ("entangled", "plain")]
        steps = [float(np.median(seconds)) / arguments.steps for seconds in both]
        against = ratio(*both)
        rows.append([name, f"{macs:,}", *map(milliseconds, steps), against])
        result[name] = {
            "macs": macs,
            "entangled_seconds": steps[0],
            "plain_seconds": steps[1],
            "entangled_over_plain": against,
        }
    title = f"Entangled vision transformer, up to {max(arguments.depth)} blocks of "
    title += f"{max(arguments.embed)}, {side}x{side}, batch {arguments.batch_size}"
    show(title, rows)
    return result


def median(supernet: VisionTransformerSupernet) -> np.ndarray:
    """Give the architecture with the median MACs of many random ones, `int32[D]`."""
    drawn = np.asarray(supernet.space.sample(jax.random.key(0), DRAWN))
    return drawn[np.argsort(supernet.costs(drawn)["macs"])[len(drawn) // 2]]


def plain_block(run: Run, genotype: np.ndarray, steps: int) -> Callable[[int], None]:
    """Make a block of training steps of the extracted network, shapes of its own."""
    experiment = run.experiment
    training = StandaloneTraining(
        functional(run.supernet.plain.subnet(genotype)),
        experiment.optimizer,
        run.preprocessing,
        experiment.training.augment,
        BatchOrder(len(run.splits.weights), experiment.training.batch_size),
        experiment.training.steps,
        experiment.training.log_every,
        experiment.training.steps,
        experiment.seed,
        run.mesh,
    )
    state = training.init(training.network.params)
    layout = jax.tree.map(lambda _: replicated(run.mesh), state)
    program = jax.jit(training.step, donate_argnums=0, out_shardings=layout)
    weights = run.on_device("weights")
    data = {"inputs": weights.inputs, "labels": weights.labels}

    def block(number: int) -> None:
        nonlocal state
        del number
        for _ in range(steps):
            state = program(state, data)
        jax.block_until_ready(state["step"])

    return block


if __name__ == "__main__":
    main()

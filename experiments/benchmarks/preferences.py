"""Ratios of a population of alphas in one program to as many runs of one.

P preferences between the loss and the multiply-accumulates share one supernet. A step
of theirs takes P passes forward and back for the alphas and one for the weights; P runs
take 2 P in a step each. Passes are counted while steps run, times are processor time of
blocks that alternate.

A pass counts alike for weights and for alphas, whose backward pass leaves the weights'
gradients out, so that the ratio of times need not be that of passes.

Command: taskset -c 0 python -m experiments.benchmarks.preferences --clock processor
"""

import argparse
import dataclasses
from typing import Any

import jax
import numpy as np

from experiments.benchmarks.blocks import CLOCKS, alternate, ratio
from experiments.benchmarks.record import milliseconds, parse, parser, save, show
from experiments.benchmarks.workloads import train_block, train_program
from experiments.digits_darts import experiment
from nas.losses import CrossEntropy
from nas.relaxations import Dirichlet, GumbelSoftmax, Relaxation, Softmax
from nas.run import Run
from nas.strategies import Alternating
from supernets import NASBench201Supernet, Outputs

RELAXATIONS: dict[str, Relaxation] = {
    "darts": Softmax(),
    "drnas": Dirichlet(),
    "gdas": GumbelSoftmax(),
}
_passes = [0]


@dataclasses.dataclass(frozen=True)
class Counted(CrossEntropy):
    """Counts how often it is asked while a program runs, once a pass."""

    def __call__(self, outputs: Outputs, labels: jax.Array) -> jax.Array:
        """Count, and measure; see `Loss`."""
        jax.debug.callback(_count)
        return super().__call__(outputs, labels)


def _count() -> None:
    _passes[0] += 1


def main() -> None:
    """Measure, and print a table."""
    made = parser(__doc__)
    made.add_argument("--method", choices=sorted(RELAXATIONS), default="darts")
    made.add_argument("--preferences", type=int, default=8)
    made.add_argument("--channels", type=int, default=8)
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--steps", type=int, default=4, help="in a block")
    arguments = parse(made)
    save(arguments, {"preferences": measure(arguments)})


def bind(arguments: argparse.Namespace, num: int, counted: bool = False) -> Run:
    """Bind the experiment's training for so many preferences."""
    strategy = Alternating(
        RELAXATIONS[arguments.method],
        loss=Counted() if counted else CrossEntropy(),
        costs=("macs",),
        preferences=num,
    )
    training = dataclasses.replace(experiment.training, steps=1_000_000)
    supernet = NASBench201Supernet(channels=arguments.channels, cells=1, entangled=True)
    chosen = dataclasses.replace(
        experiment, supernet=supernet, strategy=strategy, training=training
    )
    return Run(chosen, notify=_silent)


def _silent(line: str) -> None:
    del line


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Hold a step of P preferences against a step of each of P runs."""
    num = arguments.preferences
    passes = {
        "one program": passes_of(bind(arguments, num, counted=True)),
        f"{num} runs": num * passes_of(bind(arguments, 1, counted=True)),
    }
    together, apart = passes
    # Runs of one preference differ in their numbers only: one stands for all.
    blocks = {
        together: train_block(bind(arguments, num), arguments.steps),
        apart: train_block(bind(arguments, 1), num * arguments.steps),
    }
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    against = ratio(times[together], times[apart])
    rows: list[list[Any]] = [["way", "passes a step", "time a step"]]
    for name in blocks:
        seconds = float(np.median(times[name])) / arguments.steps
        rows.append([name, passes[name], milliseconds(seconds)])
    share = passes[together] / passes[apart]
    rows.append(["over it", f"{share:.4f}", against])
    show(f"{num} preferences of {arguments.method}", rows)
    return {
        "method": arguments.method,
        "number": num,
        "passes": passes,
        "passes_over_runs": share,
        "time_over_runs": against,
    }


def passes_of(run: Run) -> int:
    """Count the passes forward and back of one step, while it runs."""
    program, state, data = train_program(run)
    _passes[0] = 0
    jax.block_until_ready(program(state, data))
    jax.effects_barrier()
    return _passes[0]


if __name__ == "__main__":
    main()

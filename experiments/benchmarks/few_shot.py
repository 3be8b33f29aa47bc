"""What splitting costs: the gradient-matching score, and sub-supernets side by side.

The score of one decision with K options is one program; it is held against K gradients
of the same loss, one after another, and its memory against that of one gradient. Then
a step of S sub-supernets on S virtual devices is held against one device that trains
them in turn: with fewer cores than devices, at best as many times faster as there are
cores.

Command: python -m experiments.benchmarks.few_shot
"""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.blocks import CLOCKS, alternate, ratio
from experiments.benchmarks.record import milliseconds, parse, parser, save, show
from experiments.benchmarks.workloads import RandomImages, benchmark_experiment
from nas.losses import CrossEntropy
from nas.partition import GradientMatching, Probe, Refinement
from nas.partition.base import divide
from nas.run import Run
from nas.runtime.mesh import MeshConfig, put
from nas.stages.split import make_probe
from nas.stages.train import layout_of
from nas.training.optimizer import SGD
from nas.training.step import make_train_step
from search_spaces import Architecture
from supernets import NASBench201Supernet

PARTS = 4


def main() -> None:
    """Measure, and print two tables."""
    made = parser(__doc__)
    made.add_argument("--channels", type=int, default=8)
    made.add_argument("--side", type=int, default=16)
    made.add_argument("--batch-size", type=int, default=64)
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--steps", type=int, default=4, help="in a block")
    arguments = parse(made)
    jax.config.update("jax_num_cpu_devices", PARTS)
    save(arguments, measure_score(arguments) | measure_parts(arguments))


def make_run(arguments: argparse.Namespace, mesh: MeshConfig) -> Run:
    """Bind an experiment on cells and random images to devices."""
    side = arguments.side
    supernet = NASBench201Supernet(
        channels=arguments.channels, cells=1, input_shape=(side, side, 3)
    )
    genotypes = np.asarray(supernet.space.sample(jax.random.key(0), 16))
    images = RandomImages(num=20 * arguments.batch_size, side=side)
    experiment = benchmark_experiment(
        supernet, genotypes, SGD(), arguments.batch_size, images
    )
    return Run(dataclasses.replace(experiment, mesh=mesh), notify=lambda line: None)


def measure_score(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time the score of one edge against the gradients that it is made of."""
    run = make_run(arguments, MeshConfig(data=1))
    space = run.supernet.space
    state = run.train_step.init(run.allowed)
    probe = make_probe(run, state, 0, lambda: None)
    weights, table = probe.weights(0), jnp.asarray(space.valid)
    settings = GradientMatching(batch_size=arguments.batch_size)
    score, single = settings.compile(probe), one_gradient(probe, arguments.batch_size)
    options = space.num_options[0]
    keys = jax.random.split(jax.random.key(1), 64)

    def together(number: int) -> None:
        for i in range(arguments.steps):
            key = keys[(number * arguments.steps + i) % len(keys)]
            found = score(weights, table, jnp.int32(0), key, probe.data)
            jax.block_until_ready(found)

    def apart(number: int) -> None:
        for i in range(arguments.steps):
            key = keys[(number * arguments.steps + i) % len(keys)]
            for option in range(options):
                found = single(weights, jnp.int32(option), key, probe.data)
                jax.block_until_ready(found)

    clock = CLOCKS[arguments.clock]
    times = alternate(
        {"score": together, "gradients": apart}, arguments.rounds, clock=clock
    )
    against = ratio(times["score"], times["gradients"])
    key = keys[0]
    memory = {
        "score": temporary(score, weights, table, jnp.int32(0), key, probe.data),
        "gradient": temporary(single, weights, jnp.int32(0), key, probe.data),
        "weights": sum(leaf.nbytes for leaf in jax.tree.leaves(weights)),
    }
    each = float(np.median(times["score"])) / arguments.steps
    show(
        f"The score of one decision of {options} options, batch {arguments.batch_size}",
        [
            ["score", f"score / {options} gradients", "its memory", "a gradient's"],
            [
                milliseconds(each),
                str(against),
                f"{memory['score'] / 1e6:.1f} MB",
                f"{memory['gradient'] / 1e6:.1f} MB",
            ],
        ],
    )
    return {
        "score_over_gradients": against,
        "score_seconds": each,
        "options": options,
        "temporary_bytes": memory,
    }


def one_gradient(probe: Probe, batch_size: int) -> Callable[..., Any]:
    """Compile the gradient of one option, in the context that the score would draw."""
    context, loss = probe.context, CrossEntropy()

    def gradient(params: Any, option: jax.Array, key: jax.Array, data: Any) -> Any:
        k_batch, k_others, k_forward = jax.random.split(key, 3)
        batch = probe.draw(data, k_batch, batch_size)
        genotype = context.space.sample(k_others, 1)[0].at[0].set(option)
        arch = Architecture.hard(context.space, genotype)

        def objective(params: Any) -> jax.Array:
            outputs = context.forward(params, arch, batch.x, k_forward)
            return loss(outputs, batch.labels).mean()

        return jax.grad(objective)(params)

    return jax.jit(gradient)


def temporary(program: Any, *operands: Any) -> int:
    """Give the bytes of a program's results and temporaries, by XLA's own analysis."""
    analysis = program.lower(*operands).compile().memory_analysis()
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes


def measure_parts(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time a step of four sub-supernets, on one device and on four."""
    blocks = {
        "in turn": parts_block(
            make_run(arguments, MeshConfig(data=1)), arguments.steps
        ),
        "side by side": parts_block(
            make_run(arguments, MeshConfig(data=1, supernets=PARTS)), arguments.steps
        ),
    }
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    against = ratio(times["side by side"], times["in turn"])
    rows = [["where", "a step of all"]]
    rows += [
        [name, milliseconds(float(np.median(t)) / arguments.steps)]
        for name, t in times.items()
    ]
    show(f"{PARTS} sub-supernets; on {PARTS} devices / on one: {against}", rows)
    return {"side_by_side_over_in_turn": against, "sub_supernets": PARTS}


def parts_block(run: Run, steps: int) -> Callable[[int], None]:
    """Make a block of steps of four sub-supernets, laid out as training does."""
    space = run.supernet.space
    tables = run.allowed
    for name in space.names[:2]:
        halves = ((0, 1), (2, 3, 4))
        tables, _ = divide(tables, [Refinement(name, halves)] * len(tables), space)
    state = run.train_step.init(tables)
    layout = layout_of(run, state)
    state = put(state, layout)
    program = make_train_step(run.train_step, layout)
    weights = run.on_device("weights")
    data: dict[str, dict[str, Any]] = {
        "weights": {"inputs": weights.inputs, "labels": weights.labels}
    }

    def block(number: int) -> None:
        nonlocal state
        del number
        for _ in range(steps):
            state = program(state, data)
        jax.block_until_ready(state["step"])

    return block


if __name__ == "__main__":
    main()

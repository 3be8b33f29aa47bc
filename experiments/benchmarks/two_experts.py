"""A training step with two experts in the feed-forward layers, against none.

Mixing is elementwise and does not depend on the batch: it costs less, relatively, the
larger the batch is. Beside it a mixture has more weights for the optimiser to update.
The share of the mixing is the time of folding and of differentiating the fold, compiled
by themselves, over that of the whole step with experts.

Command: python -m experiments.benchmarks.two_experts
"""

import argparse
from collections.abc import Callable
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
from nas.training.optimizer import AdamW
from search_spaces import Architecture
from search_spaces.vision_transformer import vision_transformer
from supernets import VisionTransformerSupernet
from supernets.weights import WeightedSupernet, published

ORDER = 8


def main() -> None:
    """Measure, and print a table."""
    made = parser(__doc__)
    made.add_argument("--embed", type=int, nargs="+", default=(96, 144, 192))
    made.add_argument("--depth", type=int, nargs="+", default=(2, 3))
    made.add_argument("--heads", type=int, nargs="+", default=(3, 4, 6))
    made.add_argument("--side", type=int, default=32)
    made.add_argument("--batch-size", type=int, default=32)
    made.add_argument("--experts", type=int, default=2)
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--steps", type=int, default=4, help="in a block")
    arguments = parse(made)
    save(arguments, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time all, print the table, and give it as JSON values."""
    space = vision_transformer(
        "benchmark", arguments.embed, arguments.depth, arguments.heads, (2.0, 3.0, 4.0)
    )
    side = arguments.side
    plain = VisionTransformerSupernet(
        space, patch_size=4, head_size=32, input_shape=(side, side, 3)
    )
    mixed = {
        name: published(plain, experts=arguments.experts, granularity=name)
        for name in ("layer", "neuron")
    }
    order = np.asarray(space.sample(jax.random.key(0), ORDER))
    blocks: dict[str, Callable[[int], None]] = {}
    for name, supernet in ({"none": plain} | mixed).items():
        images = RandomImages(num=20 * arguments.batch_size, side=side)
        run = Run(
            benchmark_experiment(supernet, order, AdamW(), arguments.batch_size, images)
        )
        blocks[name] = train_block(run, arguments.steps)
    for name, supernet in mixed.items():
        blocks[f"{name}, mixing"] = mixing_block(supernet, order, arguments.steps)
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    steps = {
        name: float(np.median(seconds)) / arguments.steps
        for name, seconds in times.items()
    }
    rows: list[list[Any]] = [["experts", "a step", "over none", "share of the mixing"]]
    rows.append(["none", milliseconds(steps["none"]), "", ""])
    result: dict[str, Any] = {"none_seconds": steps["none"]}
    for name in mixed:
        against = ratio(times[name], times["none"])
        share = ratio(times[f"{name}, mixing"], times[name])
        rows.append(
            [f"{arguments.experts}, {name}", milliseconds(steps[name]), against, share]
        )
        result[name] = {
            "seconds": steps[name],
            "mixing_seconds": steps[f"{name}, mixing"],
            "over_none": against,
            "mixing_share": share,
        }
    title = f"Experts in the feed-forward layers, up to {max(arguments.depth)} blocks "
    title += f"of {max(arguments.embed)}, {side}x{side}, batch {arguments.batch_size}"
    show(title, rows)
    return result


def mixing_block(
    supernet: WeightedSupernet, order: np.ndarray, steps: int
) -> Callable[[int], None]:
    """Make a block that folds weights and pulls a gradient back through the fold."""
    params = supernet.init(jax.random.key(0))
    blocks = params["blocks"]

    @jax.jit
    def mix(own: Any, genotype: jax.Array) -> Any:
        arch = Architecture.hard(supernet.space, genotype)

        def fold(own: Any) -> Any:
            whole = params | {"blocks": blocks | {"mlp": own}}
            return supernet.fold(whole, arch)["blocks"]["mlp"]

        folded, pull = jax.vjp(fold, own)
        # What comes back from a network is a tensor of its own, as these are.
        return pull(jax.tree.map(lambda leaf: 2 * leaf, folded))[0]

    genotypes = [jnp.asarray(genotype, jnp.int32) for genotype in order]

    def block(number: int) -> None:
        del number
        for step in range(steps):
            jax.block_until_ready(mix(blocks["mlp"], genotypes[step % len(genotypes)]))

    return block


if __name__ == "__main__":
    main()

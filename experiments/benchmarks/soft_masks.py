"""The time of an entangled training step, soft masks against hard ones.

Hard, a mask is one row of each declared member; soft, it is a weighted sum of them, and
a layer norm mixes as many normalisations as there are widths. Both are the same program
otherwise: a gradient of the cross-entropy and a gradient-descent update of a vision
transformer (`vit_tiny`), over random architectures. `search` is the soft step with the
gradient by the architecture as well.

Command: python -m experiments.benchmarks.soft_masks
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks.blocks import CLOCKS, alternate, ratio
from experiments.benchmarks.record import milliseconds, parse, parser, save, show
from search_spaces import Architecture
from supernets.vision_transformer import VisionTransformerSupernet

SUPERNET = VisionTransformerSupernet()


def main() -> None:
    """Measure, and print a table."""
    made = parser(__doc__)
    made.add_argument("--batch-size", type=int, default=32)
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--steps", type=int, default=4, help="in a block")
    arguments = parse(made)
    save(arguments, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time the steps, print the table, and give it as JSON values."""
    blocks = {
        kind: block(kind, arguments.batch_size, arguments.steps)
        for kind in ("hard", "soft", "search")
    }
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    rows: list[list[Any]] = [["masks", "step", "over hard"]]
    result: dict[str, Any] = {}
    for kind, seconds in times.items():
        step = float(np.median(seconds)) / arguments.steps
        against = ratio(seconds, times["hard"])
        rows.append([kind, milliseconds(step), against])
        result[kind] = {"seconds": step, "over_hard": against}
    show(f"Vision transformer vit_tiny, batch {arguments.batch_size}", rows)
    return result


def block(kind: str, batch_size: int, steps: int) -> Callable[[int], None]:
    """Make a block of training steps over random architectures.

    Args:
      kind: `hard`, `soft`, or `search` (soft, and differentiated).
      batch_size: examples of a step.
      steps: of a block.

    Returns:
      What runs round i.
    """
    space, key = SUPERNET.space, jax.random.key(0)
    params = jax.jit(SUPERNET.init)(key)
    x = jax.random.normal(key, (batch_size, *SUPERNET.input_shape))
    labels = jnp.arange(batch_size) % SUPERNET.num_classes
    rows = np.random.default_rng(0).exponential(size=(steps, *space.valid.shape))
    rows = rows * space.valid
    rows = (rows / rows.sum(2, keepdims=True)).astype(np.float32)
    genotypes = np.asarray(space.sample(key, steps))

    def loss(params: Any, arch: Architecture) -> jax.Array:
        logits = SUPERNET.apply(params, None, arch, x, train=True).logits
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(params: Any, given: jax.Array) -> tuple[Any, Any]:
        make = Architecture.hard if kind == "hard" else Architecture.soft
        arch = make(space, given)
        if kind == "search":
            gradient, rest = jax.grad(loss, (0, 1))(params, arch)
        else:
            gradient, rest = jax.grad(loss)(params, arch), None
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, gradient), rest

    def run(number: int) -> None:
        nonlocal params
        del number
        for i in range(steps):
            params, _ = step(params, genotypes[i] if kind == "hard" else rows[i])
        jax.block_until_ready(params)

    return run


if __name__ == "__main__":
    main()

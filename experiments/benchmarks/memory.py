"""The memory of an entangled training step, however many options there are.

One step is the gradient of the cross-entropy and a gradient-descent update, parameters
donated. Its peak is what XLA's analysis of the compiled program says: arguments plus
outputs plus temporaries, less what outputs share with arguments. The base is the step
of the largest subnet alone. Soft, every decision is uniform over its options; `search`
differentiates by the architecture as well. A mixture of outputs, the way without
entanglement, sums over the options of one decision its weight times a whole network.

Command: python -m experiments.benchmarks.memory
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks.record import parse, parser, save, show
from search_spaces import Architecture
from search_spaces.language_model import language_model
from search_spaces.mobile import MobileStage, mobile
from search_spaces.vision_transformer import vision_transformer
from supernets import Supernet
from supernets.language_model import LanguageModelSupernet
from supernets.mobile import MobileSupernet
from supernets.standalone import functional
from supernets.vision_transformer import VisionTransformerSupernet

NUM_OPTIONS = (2, 4, 8)
TRANSFORMER = (2, 3), (2, 3, 4), (2.0, 3.0, 4.0)  # depth, heads, ratio
SHOWN = ("hard", "soft", "search", "mixture")


def main() -> None:
    """Compile, and print tables."""
    made = parser(__doc__)
    made.add_argument("--batch-size", type=int, default=32)
    made.add_argument("--options", type=int, nargs="+", default=NUM_OPTIONS)
    made.add_argument(
        "--families", nargs="+", choices=sorted(FAMILIES), default=sorted(FAMILIES)
    )
    arguments = parse(made)
    save(arguments, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compile every step, print the tables, and give them as JSON values."""
    result: dict[str, Any] = {}
    for family in arguments.families:
        rows: list[list[Any]] = [["options", "subnet", *SHOWN]]
        result[family] = {}
        for num in arguments.options:
            supernet, decision = FAMILIES[family](num)
            found = peaks(supernet, decision, arguments.batch_size)
            alone = found["subnet"]
            ratios = [f"{found[kind] / alone:.2f}" for kind in SHOWN]
            rows.append([num, f"{alone / 2**20:.1f} MiB", *ratios])
            result[family][str(num)] = found
        show(f"{family}, batch {arguments.batch_size}, times the subnet's", rows)
    return result


def widths(largest: int, step: int, num: int) -> tuple[int, ...]:
    """Give so many sizes, the last of which is the same whatever their number."""
    return tuple(largest - step * k for k in reversed(range(num)))


def transformer_of(num: int) -> tuple[Supernet, str]:
    """Make a vision transformer with so many widths."""
    space = vision_transformer("memory", widths(96, 8, num), *TRANSFORMER)
    return VisionTransformerSupernet(space, head_size=24), "embed"


def language_model_of(num: int) -> tuple[Supernet, str]:
    """Make a language model with so many widths."""
    space = language_model("memory", widths(96, 8, num), *TRANSFORMER)
    supernet = LanguageModelSupernet(
        space=space, head_size=24, input_shape=(64,), num_classes=128
    )
    return supernet, "embed"


def mobile_of(num: int) -> tuple[Supernet, str]:
    """Make a mobile network with so many widths of its first stage."""
    stages = (
        MobileStage(widths(16, 1, num), (1, 2), (3, 5), (2, 3)),
        MobileStage((24,), (1, 2), (3, 5), (2, 3)),
    )
    supernet = MobileSupernet(
        space=mobile("memory", stages),
        strides=(1, 2),
        squeeze=(False, True),
        activations=("relu", "hard_swish"),
    )
    return supernet, "width_1"


FAMILIES: dict[str, Callable[[int], tuple[Supernet, str]]] = {
    "vision_transformer": transformer_of,
    "language_model": language_model_of,
    "mobile": mobile_of,
}


def peaks(
    supernet: Supernet,
    decision: str,
    batch_size: int,
    kinds: tuple[str, ...] = ("subnet", *SHOWN),
) -> dict[str, int]:
    """Compile the steps of a supernet.

    Args:
      supernet: any.
      decision: whose options the mixture of outputs sums over.
      batch_size: examples of a step.
      kinds: which of `subnet`, `hard`, `soft`, `search` and `mixture`.

    Returns:
      Bytes, by kind.
    """
    params = jax.eval_shape(supernet.init, jax.random.key(0))
    shape = (batch_size, *supernet.input_shape)
    x = jax.ShapeDtypeStruct(shape, supernet.input_dtype)
    hard = jax.eval_shape(lambda: Architecture.hard(supernet.space, supernet.largest()))
    rows = np.asarray(supernet.space.valid, np.float32)
    rows /= rows.sum(1, keepdims=True)
    soft = jax.eval_shape(lambda: Architecture.soft(supernet.space, jnp.asarray(rows)))

    def logits(params: Any, arch: Architecture, x: jax.Array) -> jax.Array:
        return supernet.apply(params, None, arch, x, train=True).logits

    def mixture(params: Any, arch: Architecture, x: jax.Array) -> jax.Array:
        d = supernet.space.names.index(decision)
        parts = []
        for k in range(supernet.space.num_options[d]):
            one = jax.nn.one_hot(k, arch.weights.shape[1], dtype=jnp.float32)
            rows = arch.weights.at[d].set(one)
            part = Architecture(rows, None, supernet.space)
            parts.append(arch.weights[d, k] * logits(params, part, x))
        return sum(parts[1:], parts[0])

    def subnet() -> int:
        alone = functional(supernet.subnet(supernet.largest()))
        own = jax.eval_shape(lambda: alone.params)
        key = jax.random.key(0)
        return peak(lambda p, _, x: alone.train(p, x, key), own, None, x)

    steps = {
        "subnet": subnet,
        "hard": lambda: peak(logits, params, hard, x),
        "soft": lambda: peak(logits, params, soft, x),
        "search": lambda: peak(logits, params, soft, x, search=True),
        "mixture": lambda: peak(mixture, params, soft, x),
    }
    return {kind: steps[kind]() for kind in kinds}


def peak(
    forward: Callable[..., jax.Array],
    params: Any,
    arch: Any,
    x: Any,
    *,
    search: bool = False,
) -> int:
    """Give the peak memory of one compiled training step.

    Args:
      forward: `(params, arch, x) -> logits`.
      params: shapes.
      arch: shapes.
      x: shapes.
      search: whether the step also gives the gradient by the architecture.

    Returns:
      Bytes.
    """

    def step(params: Any, arch: Any, x: jax.Array) -> Any:
        def loss(params: Any, arch: Any) -> jax.Array:
            found = forward(params, arch, x)
            labels = jnp.zeros(found.shape[:-1], jnp.int32)
            losses = optax.softmax_cross_entropy_with_integer_labels(found, labels)
            return losses.mean()

        gradients = jax.grad(loss, (0, 1) if search else (0,))(params, arch)
        updated = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients[0])
        return updated, gradients[1:]

    program = jax.jit(step, donate_argnums=0).lower(params, arch, x).compile()
    found = program.memory_analysis()
    if found is None:
        raise SystemExit("This backend of XLA does not analyse memory.")
    return (
        found.argument_size_in_bytes
        + found.output_size_in_bytes
        + found.temp_size_in_bytes
        - found.alias_size_in_bytes
    )


if __name__ == "__main__":
    main()

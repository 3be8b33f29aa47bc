"""Weight-shared evaluations a second, against a compiled network per architecture.

The one way calls the evaluator that searches use: calibration of batch norm, then the
search split, one program for all architectures. The other extracts the weights, builds
the ordinary network, compiles its calibration and its evaluation, and runs them. Both
give the same loss, which is checked.

Command: python -m experiments.benchmarks.evaluations digits_cells vit_tiny
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks.blocks import CLOCKS, alternate, ratio
from experiments.benchmarks.record import parse, parser, save, show
from nas.cli.experiments import load_experiment
from nas.data import evaluation_batches
from nas.run import Run
from supernets.standalone import functional

TOLERANCE = 1e-3


def main() -> None:
    """Measure, and print a table."""
    made = parser(__doc__)
    made.add_argument("experiments", nargs="*", default=["digits_cells", "vit_tiny"])
    made.add_argument("--rounds", type=int, default=10)
    made.add_argument("--shared", type=int, default=20, help="evaluations in a block")
    arguments = parse(made)
    # A program that no earlier run has seen is what the other way has to compile.
    jax.config.update("jax_enable_compilation_cache", False)
    rows = [["experiment", "shared", "a network each", "shared is faster", "compiled"]]
    result = {}
    for name in arguments.experiments:
        found = measure(name, arguments)
        result[name] = found
        rows.append(
            [
                name,
                f"{1 / found['shared_seconds']:.1f} / s",
                f"{1 / found['compiled_seconds']:.2f} / s",
                str(found["compiled_over_shared"]),
                str(found["running_over_shared"]),
            ]
        )
    show("Evaluations of architectures (last column: without compiling)", rows)
    save(arguments, result)


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time both ways over the same architectures.

    Args:
      name: of an experiment.
      arguments: the command line's.

    Returns:
      Seconds of one evaluation and their ratios.
    """
    experiment: Any = load_experiment(name)[0]
    run = Run(experiment, notify=lambda line: None)
    params = run.train_step.init(run.allowed)["params"]
    allowed, split = jnp.asarray(run.allowed), run.on_device("search")
    num = arguments.rounds + 1
    drawn = np.asarray(run.supernet.space.sample(jax.random.key(0), 4 * num))
    _, first = np.unique(drawn, axis=0, return_index=True)
    genotypes = drawn[np.sort(first)][:num]
    losses: dict[str, dict[int, float]] = {"shared": {}, "compiled": {}}
    programs: dict[int, Any] = {}

    def shared(number: int) -> None:
        genotype = np.repeat(genotypes[number][None], arguments.shared, axis=0)
        values = run.evaluator.evaluate(params, allowed, genotype, split)
        losses["shared"][number] = float(values["nll"][0])

    def compiled(number: int) -> None:
        programs[number] = network_program(run, params, genotypes[number])
        losses["compiled"][number] = programs[number]()

    def running(number: int) -> None:
        for _ in range(arguments.shared):
            programs[number]()

    clock = CLOCKS[arguments.clock]
    both = {"shared": shared, "compiled": compiled}
    times = alternate(both, arguments.rounds, clock=clock)
    both = {"shared": shared, "running": running}
    again = alternate(both, arguments.rounds, clock=clock)
    for number in range(arguments.rounds):
        gap = abs(losses["shared"][number] - losses["compiled"][number])
        if gap > TOLERANCE * max(1, abs(losses["compiled"][number])):
            raise RuntimeError(
                f"{name}: the two ways disagree by {gap} on {genotypes[number]}"
            )
    one = times["shared"] / arguments.shared
    return {
        "inputs": len(run.splits.search),
        "shared_seconds": float(np.median(one)),
        "compiled_seconds": float(np.median(times["compiled"])),
        "compiled_over_shared": ratio(times["compiled"], one),
        "running_over_shared": ratio(again["running"], again["shared"]),
    }


def network_program(run: Run, params: Any, genotype: np.ndarray) -> Any:
    """Extract a network and make its program, compiled when it is first called.

    Args:
      run: for the data and the settings of evaluations.
      params: shared weights with a leading axis of one sub-supernet.
      genotype: `int32[D]`.

    Returns:
      `() -> float`, the mean loss on the search split.
    """
    supernet, preprocessing = run.supernet.plain, run.preprocessing
    own = jax.tree.map(lambda leaf: leaf[0], params)
    weights = supernet.extract(own, None, genotype)["params"]
    network = functional(supernet.subnet(genotype))
    split = run.on_device("search")
    size = run.experiment.evaluation.batch_size
    batches = evaluation_batches(len(split), size)

    @jax.jit
    def evaluate(
        weights: Any,
        images: jax.Array,
        labels: jax.Array,
        batches: Any,
        calibration: jax.Array,
    ) -> jax.Array:
        stats = network.calibrate(weights, preprocessing(calibration))

        def add(total: jax.Array, batch: Any) -> tuple[jax.Array, None]:
            index, weight = batch
            logits = network.infer(weights, stats, preprocessing(images[index]))
            losses = optax.softmax_cross_entropy_with_integer_labels(
                logits, labels[index]
            )
            return total + losses @ weight, None

        return jax.lax.scan(add, jnp.float32(0), batches)[0]

    calibration = run.evaluator.calibration_inputs

    def program() -> float:
        total = evaluate(weights, split.inputs, split.labels, batches, calibration)
        return float(total) / len(split)

    return program


if __name__ == "__main__":
    main()

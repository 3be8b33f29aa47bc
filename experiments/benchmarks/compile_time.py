"""Seconds to compile, cold and from the cache, and programs for 1,000 architectures.

Each measurement is a process of its own, as a user would start one: the first with an
empty cache, the second with what the first left. The programs are counted by JAX.

Command: python -m experiments.benchmarks.compile_time digits_cells vit_tiny
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.benchmarks.blocks import CLOCKS
from experiments.benchmarks.record import parse, parser, save, show
from nas.cli.experiments import load_experiment
from nas.run import Run
from nas.runtime.compilation_cache import ENVIRONMENT, enable
from nas.runtime.mesh import put, replicated
from nas.training.step import make_train_step

CHILD = "--child"
Clock = Callable[[], float]


def main() -> None:
    """Measure, and print a table."""
    if CHILD in sys.argv:
        _child(sys.argv[-3], int(sys.argv[-2]), CLOCKS[sys.argv[-1]])
        return
    made = parser(__doc__)
    made.add_argument("experiments", nargs="*", default=["digits_cells", "vit_tiny"])
    made.add_argument("--architectures", type=int, default=1000)
    made.add_argument("--repeats", type=int, default=3, help="of cold and warm")
    arguments = parse(made)
    save(arguments, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the processes, print the table, and give it as JSON values."""
    rows = [["experiment", "program", "cold", "cached", "architectures", "programs"]]
    result: dict[str, Any] = {}
    for name in arguments.experiments:
        found: dict[str, list[dict[str, Any]]] = {"cold": [], "cached": []}
        for repeat in range(arguments.repeats):
            with tempfile.TemporaryDirectory() as cache:
                for kind in ("cold", "cached"):
                    # Once is enough to count the programs.
                    num = 1 if repeat or kind == "cold" else arguments.architectures
                    found[kind].append(_start(name, num, cache, arguments.clock))
        result[name] = {}
        for program in ("train step", "evaluation"):
            cold, cached = (
                float(np.median([run[program]["seconds"] for run in found[kind]]))
                for kind in ("cold", "cached")
            )
            counted = found["cached"][0][program]
            result[name][program] = {
                "cold_seconds": cold,
                "cached_seconds": cached,
                "architectures": counted["architectures"],
                "programs": counted["programs"],
            }
            rows.append(
                [
                    name,
                    program,
                    f"{cold:.2f} s",
                    f"{cached:.2f} s",
                    str(counted["architectures"]),
                    str(counted["programs"]),
                ]
            )
    title = f"Tracing and compiling, the median of {arguments.repeats}; "
    show(title + "programs compiled for random architectures", rows)
    return result


def _start(name: str, architectures: int, cache: str, clock: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, CHILD, name, str(architectures), clock],
        env=os.environ | {ENVIRONMENT: cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _child(name: str, architectures: int, clock: Clock) -> None:
    """Compile both programs of an experiment, run them, and print what was found."""
    enable(directory=Path(os.environ[ENVIRONMENT]))
    experiment: Any = load_experiment(name)[0]
    run = Run(experiment, notify=lambda line: None)
    result = {
        "train step": _train(run, architectures, clock),
        "evaluation": _evaluate(run, architectures, clock),
    }
    print(json.dumps(result))


def _train(run: Run, architectures: int, clock: Clock) -> dict[str, Any]:
    everywhere = replicated(run.mesh)
    state = put(run.train_step.init(run.allowed), everywhere)
    layout = jax.tree.map(lambda _: everywhere, state)
    weights = run.on_device("weights")
    data = {"weights": {"inputs": weights.inputs, "labels": weights.labels}}
    program: Any = make_train_step(run.train_step, layout)
    begin = clock()
    program.lower(state, data).compile()
    seconds = clock() - begin
    for _ in range(architectures):
        state = program(state, data)
    jax.block_until_ready(state)
    return {
        "seconds": seconds,
        "architectures": architectures,
        "programs": program._cache_size(),
    }


def _evaluate(run: Run, architectures: int, clock: Clock) -> dict[str, Any]:
    params = run.train_step.init(run.allowed)["params"]
    space = run.supernet.space
    drawn = np.asarray(space.sample(jax.random.key(1), 4 * architectures))
    genotypes = np.unique(drawn, axis=0)[:architectures]
    split = run.on_device("search")
    allowed = jax.numpy.asarray(run.allowed)
    begin = clock()
    run.evaluator.evaluate(params, allowed, genotypes[:1], split)
    first = clock() - begin
    begin = clock()
    run.evaluator.evaluate(params, allowed, genotypes[:1], split)
    again = clock() - begin
    run.evaluator.evaluate(params, allowed, genotypes, split)
    program: Any = run.evaluator.__dict__["_one"]
    return {
        "seconds": first - again,
        "architectures": len(genotypes),
        "programs": program._cache_size(),
    }


if __name__ == "__main__":
    main()

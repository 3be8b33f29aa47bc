"""What an experiment would need: sizes, costs, memory and time, before anything runs.

The train step and the evaluation are compiled and timed for a few steps; the rest is
counted.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nas.latency import COLUMN
from nas.runtime.mesh import put, replicated
from nas.runtime.progress import format_seconds
from nas.search.constraints import ENUMERATION_LIMIT, total_violation
from nas.stages.search import make_loop
from nas.training.averaging import evaluated
from nas.training.step import make_train_step

if TYPE_CHECKING:
    from nas.run import Run

SAMPLES = 4096
STEPS = 10
EVALUATIONS = 8

Finding = tuple[str, str]


def profile(run: "Run") -> list[Finding]:
    """Measure what an experiment would need.

    Args:
      run: without a workdir; nothing is written.

    Returns:
      (what, how much) in words, in the order of a run.

    Raises:
      UserError: the parts do not fit each other, or no architecture meets the
        constraints.
    """
    sizes = list(_space(run))
    state = put(run.train_step.init(run.allowed), replicated(run.mesh))
    rows = [*sizes, *_weights(state), *_splitting(run)]
    state, train_rows, train_seconds = _training(run, state)
    evaluation_rows, evaluation_seconds = _evaluation(run, state)
    total = train_seconds + evaluation_seconds
    return [
        *rows,
        *train_rows,
        *evaluation_rows,
        ("whole run, about", f"{format_seconds(total)}, without export"),
    ]


def _space(run: "Run") -> Iterator[Finding]:
    """Count the space, its costs, and what the constraints leave."""
    supernet, space = run.supernet, run.supernet.space
    whole = space.size <= ENUMERATION_LIMIT
    key = jax.random.key(run.experiment.seed)
    pool = space.enumerate() if whole else np.asarray(space.sample(key, SAMPLES))
    costs = run.costs(pool)
    ends = supernet.costs(np.stack([supernet.smallest(), supernet.largest()]))
    among = "of all" if whole else f"of {SAMPLES} drawn"
    yield "space", f"{space.name}, {space.num_decisions} decisions"
    yield "architectures", f"{space.size:,}"
    size = run.dataset.kind.size_text(run.dataset.input_shape)
    yield "inputs", f"{size}, {_splits(run)}"
    for name in ("macs", "params"):
        low, high = ends[name]
        middle = int(np.median(costs[name]))
        yield (
            f"{name}, smallest / median / largest",
            f"{low:,} / {middle:,} ({among}) / {high:,}",
        )
    if COLUMN in costs:
        low, middle, high = np.quantile(costs[COLUMN], (0, 0.5, 1))
        yield (
            f"{COLUMN}, least / median / most",
            f"{low:.4g} / {middle:.4g} / {high:.4g} ({among})",
        )
    constraints = make_loop(run, None).constraints
    if not constraints:
        return
    known = [c for c in constraints if c.name in costs]
    met = total_violation(constraints, costs, len(pool)) == 0
    texts = ", ".join(map(str, known)) or "none that is known without evaluating"
    yield "constraints", texts
    yield "architectures that meet them", f"{met.mean():.2%} {among}"


def _splits(run: "Run") -> str:
    return ", ".join(
        f"{len(run.split(name)):,} for {name}"
        for name in ("weights", "search", "report")
    )


def _weights(state: dict[str, Any]) -> Iterator[Finding]:
    count = sum(leaf.size for leaf in jax.tree.leaves(state["params"]))
    yield "parameters of the supernet", f"{count:,}"
    yield "memory, weights", _bytes(_size(state["params"]))
    yield "memory, optimiser", _bytes(_size(state["opt_state"]))


def _splitting(run: "Run") -> Iterator[Finding]:
    at = run.experiment.partition.at
    if at:
        steps = ", ".join(f"{step:,}" for step in at)
        yield (
            "splits",
            f"after step {steps}; times and memory here are those before the first; "
            "each split multiplies both by its groups",
        )


def _training(
    run: "Run", state: dict[str, Any]
) -> tuple[dict[str, Any], list[Finding], float]:
    """Compile the step, run a few, and say how long all would take."""
    everywhere = jax.tree.map(lambda _: replicated(run.mesh), state)
    data = {
        name: {"inputs": split.inputs, "labels": split.labels}
        for name in run.experiment.strategy.SPLITS
        for split in (run.on_device(name),)
    }
    program = make_train_step(run.train_step, everywhere)
    begin = time.perf_counter()
    compiled = program.lower(state, data).compile()  # pyright: ignore
    compile_seconds = time.perf_counter() - begin
    state = jax.block_until_ready(compiled(state, data))
    begin = time.perf_counter()
    for _ in range(STEPS):
        state = compiled(state, data)
    jax.block_until_ready(state)
    seconds = (time.perf_counter() - begin) / STEPS
    steps = run.experiment.training.steps
    total = compile_seconds + seconds * steps
    rows = [
        ("memory, a training step", _step_memory(compiled)),
        ("compiling the training step", f"{compile_seconds:.1f} s"),
        ("one training step", f"{seconds * 1e3:.1f} ms"),
        (f"training, {steps:,} steps", format_seconds(total)),
    ]
    return state, rows, total


def _evaluation(run: "Run", state: dict[str, Any]) -> tuple[list[Finding], float]:
    """Time evaluations on the search split, and say how long the search would take."""
    space = run.supernet.space
    num = min(EVALUATIONS, space.size)
    genotypes = np.asarray(space.sample(jax.random.key(0), num))
    device = run.on_device("search")

    def evaluate() -> None:
        run.evaluator.evaluate(evaluated(state), state["allowed"], genotypes, device)

    first = _seconds(evaluate)
    each = _seconds(evaluate) / num
    budget = min(run.experiment.search.evaluations, space.size)
    total = first + each * budget
    examples = run.dataset.kind.words.examples
    rows = [
        ("one evaluation", f"{each * 1e3:.1f} ms, on {len(device):,} {examples}"),
        (f"search, {budget:,} evaluations", format_seconds(total)),
    ]
    return rows, total


def _seconds(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _step_memory(compiled: Any) -> str:
    analysis = compiled.memory_analysis()
    if analysis is None:
        return "not known on this backend"
    arguments = analysis.argument_size_in_bytes
    temporary = analysis.temp_size_in_bytes
    return (
        f"{_bytes(arguments + temporary)} on a device: {_bytes(arguments)} for state "
        f"and data, {_bytes(temporary)} while it runs"
    )


def _size(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"

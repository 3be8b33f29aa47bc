"""Ratios of what strategies, rankings and truths cost, on the network of `digits_625`.

  panda     PA&DA's step against uniform over the same paths, in time and in operations
            of the compiled step, as XLA counts them (floating-point operations, no
            transcendental ones; of a switch the dearest branch)
  sandwich  a step of the largest, the smallest and two random subnets, against four
            steps of one of these each; with and without in-place distillation
  ranking   architectures ranked a second, and evaluations by shared weights against a
            plain forward pass of each network over the same examples, once compiled
  alone     stand-alone trainings a minute by one program for all, against compiling
            and training each architecture by itself

PA&DA learns and draws as it would, but what it draws is replaced at run time by the
architectures that uniform is given. Its published rules need the same options on each
edge, so the cells of `panda` are those of NAS-Bench-201 with no edge fixed.

Command: taskset -c 0 python -m experiments.benchmarks.strategies --clock processor
"""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.blocks import CLOCKS, Ratio, alternate, ratio
from experiments.benchmarks.record import milliseconds, parse, parser, save, show
from experiments.benchmarks.workloads import InOrder, train_block, train_program
from experiments.digits_625 import experiment
from experiments.published import panda
from nas import Experiment
from nas.data import BatchOrder
from nas.data_samplers import DataSampler, Uniform
from nas.losses import KLDivergence
from nas.run import Run
from nas.samplers import Draw, Feedback, Sandwich
from nas.samplers import Uniform as UniformPaths
from nas.samplers.wrapping import Wrapping
from nas.stages.standalone import fresh_weights, subnet_of
from nas.stages.truth import alone_training
from nas.strategies import Context, Paths, Strategy
from nas.training.standalone import StandaloneTraining, train_standalone
from search_spaces import SearchSpace
from supernets import NASBench201Supernet, Supernet

ORDER = 16
RANDOM = 2
Block = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Replay(Wrapping):
    """Let a sampler draw and learn, but train given architectures in turn.

    Whether to replay is known at run time only, so that no compiler can leave out the
    draw that is replaced.
    """

    steps: tuple[tuple[tuple[int, ...], ...], ...] = ()
    """The K architectures of each step, over and over."""

    def init(self, key: jax.Array, space: SearchSpace) -> dict[str, Any]:
        """Start at the first step; see `Sampler.init`."""
        inner = self.inner.init(key, space)
        return {"inner": inner, "number": jnp.int32(0), "replay": jnp.bool_(True)}

    def sample(
        self, state: Any, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw, and give the next of the list; see `Sampler.sample`."""
        draw = self.inner.sample(state["inner"], context, key, allowed)
        given = jnp.asarray(self.steps, jnp.int32)[state["number"] % len(self.steps)]
        return draw._replace(
            genotypes=jnp.where(state["replay"], given, draw.genotypes)
        )

    def update(self, state: Any, feedback: Feedback) -> dict[str, Any]:
        """Let the sampler learn, and move on; see `Sampler.update`."""
        inner = self.inner.update(state["inner"], feedback)
        return state | {"inner": inner, "number": state["number"] + 1}

    def health(self, state: Any, context: Context, allowed: jax.Array) -> Any:
        """Give the sampler's; see `Sampler.health`."""
        return self.inner.health(state["inner"], context, allowed)


def main() -> None:
    """Measure, and print tables."""
    made = parser(__doc__)
    made.add_argument("--only", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--steps", type=int, default=16, help="in a block")
    made.add_argument("--networks", type=int, default=12, help="of the ranking's ratio")
    made.add_argument("--alone", type=int, default=10, help="networks trained alone")
    arguments = parse(made)
    result: dict[str, Any] = {}
    for name in arguments.only:
        result |= PARTS[name](arguments)
        save(arguments, result)


def bind(
    strategy: Strategy, data: DataSampler, supernet: Supernet | None = None
) -> Run:
    """Bind the experiment's training with another strategy."""
    training = dataclasses.replace(
        experiment.training, steps=1_000_000, data_sampler=data
    )
    chosen: Experiment = dataclasses.replace(
        experiment,
        supernet=supernet or experiment.supernet,
        strategy=strategy,
        training=training,
    )
    return Run(chosen, notify=_silent)


def _silent(line: str) -> None:
    del line


# ---------------------------------------------------------------------------- PA&DA
def measure_panda(arguments: argparse.Namespace) -> dict[str, Any]:
    """Hold PA&DA's steps against uniform's, in time and in operations."""
    supernet = NASBench201Supernet(channels=4, cells=1)
    drawn = np.asarray(supernet.space.sample(jax.random.key(0), ORDER))
    epoch = len(bind(Paths(), Uniform()).splits.weights)
    ways = {
        "uniform": (Paths(UniformPaths()), Uniform()),
        "ours": panda.ours(),
        "published": panda.published(epoch // experiment.training.batch_size),
    }
    runs = {
        name: bind(replayed(strategy, drawn[:, None]), data, supernet)
        for name, (strategy, data) in ways.items()
    }
    counts = {name: operations(run) for name, run in runs.items()}
    blocks = {name: train_block(run, arguments.steps) for name, run in runs.items()}
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    base, found = "uniform", {}
    rows: list[list[Any]] = [
        ["step", "a step", "over uniform", "operations", "instructions"]
    ]
    for name in runs:
        seconds = float(np.median(times[name])) / arguments.steps
        found[name] = {"seconds": seconds} | counts[name]
        more = {key: counts[name][key] / counts[base][key] for key in counts[base]}
        against = ratio(times[name], times[base])
        if name != base:
            found[name]["over_uniform"] = {"time": against} | more
        rows.append(
            [
                name,
                milliseconds(seconds),
                "" if name == base else against,
                f"{more['operations']:.4f}",
                f"{more['instructions']:.2f}",
            ]
        )
    show(f"PA&DA over uniform on the same {ORDER} paths", rows)
    return {"panda": found}


def replayed(strategy: Strategy, steps: np.ndarray) -> Paths:
    """Let a strategy train given architectures: `int32[N, K, D]`, K a step."""
    if not isinstance(strategy, Paths):
        raise TypeError("Only Paths has a sampler whose draws can be replaced.")
    given = tuple(tuple(tuple(map(int, g)) for g in step) for step in steps)
    return dataclasses.replace(strategy, sampler=Replay(strategy.sampler, given))


def operations(run: Run) -> dict[str, float]:
    """Count the operations and the instructions of a compiled train step.

    Args:
      run: whose step.

    Returns:
      `operations`, floating-point ones by XLA's analysis of the step as it was lowered,
      where every convolution is counted; `instructions`, lines of the compiled program.
    """
    program, state, data = train_program(run)
    lowered = program.lower(state, data)
    analysis: Any = lowered.cost_analysis()
    return {
        "operations": float(analysis["flops"]),
        "instructions": lowered.compile().as_text().count(" = "),
    }


# ------------------------------------------------------------------------- sandwich
def measure_sandwich(arguments: argparse.Namespace) -> dict[str, Any]:
    """Hold a step of K subnets against K steps of one."""
    steps = sandwiches(bind(Paths(Sandwich(RANDOM)), Uniform()), ORDER)
    size = steps.shape[1]
    singles = tuple(tuple(map(int, g)) for g in steps.reshape(-1, steps.shape[2]))
    blocks = {
        "single": train_block(
            bind(Paths(InOrder(singles)), Uniform()), size * arguments.steps
        )
    }
    for name, students in {"labels": None, "distilled": KLDivergence()}.items():
        strategy = replayed(Paths(Sandwich(RANDOM), students=students), steps)
        blocks[name] = train_block(bind(strategy, Uniform()), arguments.steps)
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    rows: list[list[Any]] = [
        ["step", f"of {size} subnets", f"over {size} steps of one"]
    ]
    found: dict[str, Any] = {"subnets": size}
    for name in blocks:
        seconds = float(np.median(times[name])) / arguments.steps
        against = ratio(times[name], times["single"])
        rows.append([name, milliseconds(seconds), "" if name == "single" else against])
        found[name] = {"seconds": seconds, "over_single": against}
    show("The sandwich rule", rows)
    return {"sandwich": found}


def sandwiches(run: Run, num: int) -> np.ndarray:
    """Draw the architectures of steps by the sandwich rule, `int32[num, K, D]`."""
    sampler = Sandwich(RANDOM)
    context, allowed = run.train_step.context, jnp.asarray(run.allowed[0])
    keys = jax.random.split(jax.random.key(0), num)
    draws = [sampler.sample((), context, key, allowed).genotypes for key in keys]
    return np.asarray(draws)


# -------------------------------------------------------------------------- ranking
def measure_ranking(arguments: argparse.Namespace) -> dict[str, Any]:
    """Rank all cells, and hold some evaluations against plain forward passes."""
    run = bind(Paths(), Uniform())
    space = run.supernet.space
    params = run.train_step.init(run.allowed)["params"]
    allowed, split = jnp.asarray(run.allowed), run.on_device("search")
    every = np.asarray(space.enumerate())
    rng = np.random.default_rng(0)
    some = every[rng.choice(len(every), arguments.networks, replace=False)]
    forwards = [forward_pass(run, params, genotype) for genotype in some]

    def ranked(number: int) -> None:
        del number
        run.evaluator.evaluate(params, allowed, some, split)

    def plain(number: int) -> None:
        del number
        for forward in forwards:
            jax.block_until_ready(forward())

    clock = CLOCKS[arguments.clock]
    blocks: dict[str, Block] = {"ranked": ranked, "plain": plain}
    times = alternate(blocks, arguments.rounds, clock=clock)
    begin = clock()
    run.evaluator.evaluate(params, allowed, every, split)
    seconds = clock() - begin
    against = ratio(times["ranked"], times["plain"])
    show(
        f"Ranking {len(every)} architectures on {len(split)} examples",
        [
            ["all, a second", "evaluation", "plain forward pass", "over it"],
            [
                f"{len(every) / seconds:.0f}",
                milliseconds(float(np.median(times["ranked"])) / len(some)),
                milliseconds(float(np.median(times["plain"])) / len(some)),
                against,
            ],
        ],
    )
    calibration = run.evaluator.calibration_inputs
    return {
        "ranking": {
            "architectures": len(every),
            "a_second": len(every) / seconds,
            "examples": len(split),
            "calibration_examples": int(np.prod(calibration.shape[:2])),
            "over_plain_forward": against,
        }
    }


def forward_pass(run: Run, params: Any, genotype: np.ndarray) -> Callable[[], Any]:
    """Compile an architecture's own network over the search split, in one batch.

    Args:
      run: for the data.
      params: shared weights with a leading axis of one sub-supernet.
      genotype: `int32[D]`.

    Returns:
      `() -> float32[N, classes]`, with statistics that were calibrated before.
    """
    network, split = subnet_of(run, genotype), run.on_device("search")
    own = jax.tree.map(lambda leaf: leaf[0], params)
    weights = run.supernet.plain.extract(own, None, genotype)["params"]
    inputs = run.preprocessing(jnp.asarray(run.evaluator.calibration_inputs))
    stats = jax.jit(network.calibrate)(weights, inputs)
    forward = jax.jit(lambda w, s, x: network.infer(w, s, run.preprocessing(x)))
    return lambda: forward(weights, stats, split.inputs)


# -------------------------------------------------------------- stand-alone training
def measure_alone(arguments: argparse.Namespace) -> dict[str, Any]:
    """Hold one program for every training against a program for each."""
    run = bind(Paths(), Uniform())
    weights = run.on_device("weights")
    data: Any = {"inputs": weights.inputs, "labels": weights.labels}
    every = np.asarray(run.supernet.space.enumerate())
    rng = np.random.default_rng(1)
    drawn = every[rng.choice(len(every), arguments.alone, replace=False)]
    one_program = alone_training(run)
    seeds = np.zeros(1, np.int32)

    def shared(number: int) -> None:
        trained = one_program.train(drawn[number][None], seeds, data)
        jax.block_until_ready(trained)

    def compiled(number: int) -> None:
        genotype = drawn[number]
        training = network_training(run, genotype)
        state = training.init(fresh_weights(run, genotype, 0))
        jax.block_until_ready(train_standalone(training, state, data)["params"])

    # What no earlier run has seen is what a network of its own has to compile.
    jax.config.update("jax_enable_compilation_cache", False)
    clock = CLOCKS[arguments.clock]
    begin = clock()
    shared(0)
    first = clock() - begin
    blocks: dict[str, Block] = {"shared": shared, "compiled": compiled}
    times = alternate(blocks, arguments.alone, clock=clock)
    against: Ratio = ratio(times["compiled"], times["shared"])
    minutes = {name: 60 / float(np.median(seconds)) for name, seconds in times.items()}
    show(
        f"Trainings of {experiment.truth.steps} steps alone",
        [
            ["one program, a minute", "a program each", "each over one", "first one"],
            [
                f"{minutes['shared']:.1f}",
                f"{minutes['compiled']:.1f}",
                against,
                f"{first:.1f} s, compiling",
            ],
        ],
    )
    return {
        "alone": {
            "steps": experiment.truth.steps,
            "batch_size": experiment.truth.batch_size,
            "one_program_a_minute": minutes["shared"],
            "a_program_each_a_minute": minutes["compiled"],
            "each_over_one_program": against,
            "first_with_compiling_seconds": first,
        }
    }


def network_training(run: Run, genotype: np.ndarray) -> StandaloneTraining:
    """Bind an architecture's own network to the settings of the truth."""
    truth = run.experiment.truth
    return StandaloneTraining(
        subnet_of(run, genotype),
        run.experiment.optimizer,
        run.preprocessing,
        run.experiment.training.augment,
        BatchOrder(len(run.splits.weights), truth.batch_size),
        truth.steps,
        log_every=truth.steps,
        checkpoint_every=truth.steps,
        seed=0,
        mesh=run.mesh,
    )


PARTS = {
    "panda": measure_panda,
    "sandwich": measure_sandwich,
    "ranking": measure_ranking,
    "alone": measure_alone,
}


if __name__ == "__main__":
    main()

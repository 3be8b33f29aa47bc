"""What controllers themselves cost: an ask and a tell, for each proposed architecture.

  evaluations  every controller that needs no gradients, at its defaults, against one
               weight-shared evaluation of an architecture of `digits_cells`, with its
               calibration, on the search split
  pymoo        NSGA-II at a population of 1,000 against pymoo's, on 20 decisions of 5
               options; both are asked, told and evaluated alike, which takes next to
               nothing

A controller goes on from round to round as in a search. What it is told is made up, and
looked up rather than measured.

Command: taskset -c 0 python -m experiments.benchmarks.controllers --clock processor
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.blocks import CLOCKS, alternate, ratio
from experiments.benchmarks.record import milliseconds, parse, parser, save, show
from experiments.digits_cells import experiment
from experiments.studies.pymoo_nsga2 import start
from nas.errors import UserError
from nas.run import Run
from nas.search import NSGA2, Controller, Problem, Search, SearchLoop, discover
from search_spaces import Decision, SearchSpace

COLUMNS = ("nll", "macs")
Block = Callable[[int], None]


class Session:
    """A controller that is asked and told, on and on, on made-up values."""

    def __init__(self, controller: Controller, space: SearchSpace) -> None:
        """Begin; `proposed` is how many architectures one ask gives."""
        self.controller = controller
        self.space = space
        self.problem = Problem(space, len(COLUMNS))
        self.state = controller.init(jax.random.key(0), self.problem)
        self.proposed = 0

    def turn(self) -> None:
        """Ask and tell once."""
        self.state, asked = self.controller.ask(self.state, self.problem)
        self.proposed = len(asked)
        table = made_up(self.space, asked)
        values = np.stack([table[name] for name in COLUMNS], axis=1)
        zero = np.zeros(len(asked))
        self.state = self.controller.tell(self.state, self.problem, asked, values, zero)


def made_up(space: SearchSpace, genotypes: np.ndarray) -> dict[str, np.ndarray]:
    """Give two objectives that are at odds.

    Args:
      space: of the genotypes.
      genotypes: `int32[P, D]`.

    Returns:
      `float64[P]` for each of `COLUMNS`.
    """
    effect = np.random.default_rng(0).normal(size=(2, *space.valid.shape))
    decisions = np.arange(space.num_decisions)
    first, second = effect[:, decisions, genotypes].sum(axis=2)
    return {"nll": first, "macs": second - first}


def main() -> None:
    """Measure, and print tables."""
    made = parser(__doc__)
    made.add_argument("--only", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--asks", type=int, default=5, help="in a block")
    made.add_argument("--networks", type=int, default=4, help="evaluated in a block")
    made.add_argument("--population", type=int, default=1000, help="against pymoo")
    arguments = parse(made)
    result: dict[str, Any] = {}
    for name in arguments.only:
        result |= PARTS[name](arguments)
        save(arguments, result)


def sessions(space: SearchSpace) -> dict[str, Session]:
    """Begin with every controller that needs no more than to be told."""
    begun = {}
    for name, kind in discover().items():
        try:
            session = Session(kind(), space)
            session.turn()
        except UserError:
            continue  # it says that it needs gradients
        begun[name] = session
    return begun


def measure_evaluations(arguments: argparse.Namespace) -> dict[str, Any]:
    """Hold controllers against what they ask for."""
    run = Run(experiment, notify=_silent)
    space = run.supernet.space
    params = run.train_step.init(run.allowed)["params"]
    allowed, split = jnp.asarray(run.allowed), run.on_device("search")
    networks = np.asarray(space.sample(jax.random.key(0), arguments.networks))

    def evaluation(number: int) -> None:
        del number
        run.evaluator.evaluate(params, allowed, networks, split)

    begun = sessions(space)
    blocks: dict[str, Block] = {"evaluation": evaluation} | {
        name: _turns(session, arguments.asks) for name, session in begun.items()
    }
    times = alternate(blocks, arguments.rounds, clock=CLOCKS[arguments.clock])
    one = times["evaluation"] / len(networks)
    rows: list[list[Any]] = [["controller", "proposes", "for each", "/ evaluation"]]
    found: dict[str, Any] = {"evaluation": {"seconds": float(np.median(one))}}
    for name, session in begun.items():
        each = times[name] / (arguments.asks * session.proposed)
        against = ratio(each, one)
        seconds = float(np.median(each))
        found[name] = {"seconds": seconds, "over_evaluation": against}
        percent = (100 * x for x in (against.median, against.low, against.high))
        shown = "{:.2f} % ({:.2f} to {:.2f})".format(*percent)
        rows.append([name, session.proposed, milliseconds(seconds), shown])
    title = f"An evaluation takes {milliseconds(found['evaluation']['seconds'])}"
    show(title, rows)
    return {"evaluations": found}


def measure_pymoo(arguments: argparse.Namespace) -> dict[str, Any]:
    """Hold NSGA-II against pymoo's at the same population."""
    options = ("a", "b", "c", "d", "e")
    decisions = tuple(Decision(f"choice_{i}", options) for i in range(20))
    space = SearchSpace("twenty", decisions)
    size = arguments.population
    loop = SearchLoop(
        Search(NSGA2(population=size), COLUMNS),
        space,
        COLUMNS,
        lambda genotypes: made_up(space, genotypes),
        lambda genotypes: {},
    )
    algorithm, problem = start(loop, size, seed=0)
    session = Session(NSGA2(population=size), space)

    def theirs(number: int) -> None:
        del number
        asked = algorithm.ask()
        algorithm.evaluator.eval(problem, asked)
        algorithm.tell(infills=asked)

    def ours(number: int) -> None:
        del number
        session.turn()

    times = alternate(
        {"ours": ours, "pymoo": theirs},
        arguments.rounds,
        warm_up=2,  # the first generation has no parents
        clock=CLOCKS[arguments.clock],
    )
    against = ratio(times["ours"], times["pymoo"])
    ask = {name: float(np.median(seconds)) for name, seconds in times.items()}
    show(
        f"NSGA-II, a generation of {size}",
        [
            ["ours", "pymoo's", "ours / pymoo's"],
            [milliseconds(ask["ours"]), milliseconds(ask["pymoo"]), against],
        ],
    )
    return {"pymoo": {"population": size, "seconds": ask, "over_pymoo": against}}


def _turns(session: Session, asks: int) -> Block:
    def block(number: int) -> None:
        del number
        for _ in range(asks):
            session.turn()

    return block


def _silent(line: str) -> None:
    del line


PARTS = {"evaluations": measure_evaluations, "pymoo": measure_pymoo}


if __name__ == "__main__":
    main()

"""Search the trained supernet: its evaluations, handed to the loop of all searches."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.evaluation.evaluate import COLUMNS
from nas.search.loop import SearchLoop
from nas.stages.searching import carry_out
from nas.stages.train import load_trained
from nas.training.averaging import evaluated

if TYPE_CHECKING:
    from nas.run import Run


def search(run: "Run") -> np.ndarray:
    """Search, or go on with the same search; see `Run.search`."""
    trained = load_trained(run)
    device = run.on_device("search")

    def evaluate(genotypes: np.ndarray) -> dict[str, np.ndarray]:
        return run.evaluator.evaluate(
            evaluated(trained), trained["allowed"], genotypes, device
        )

    return carry_out(run, make_loop(run, evaluate), run.experiment.seed)


def make_loop(run: "Run", evaluate: Any) -> SearchLoop:
    """Bind the experiment's search to a way of evaluating."""
    supernet = run.supernet
    return SearchLoop(
        run.experiment.search, supernet.space, COLUMNS, evaluate, supernet.costs
    )

"""Search the trained supernet: its evaluations, handed to the loop of all searches."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nas.runtime.mesh import host
from nas.search.loop import SearchLoop
from nas.stages.searching import carry_out
from nas.stages.train import load_trained
from nas.training.averaging import evaluated
from nas.training.relaxed import relax
from nas.training.step import State

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

    return carry_out(
        run,
        make_loop(run, evaluate, trained),
        run.experiment.seed,
        latency=latency_of(run),
    )


def latency_of(run: "Run") -> str | None:
    """Give the fingerprint of the latencies that a search asks for, None without.

    With other latencies, the same settings are another search.
    """
    if run.latency is None or not run.searches_latency:
        return None
    return run.latency.fingerprint


def make_loop(run: "Run", evaluate: Any, trained: State | None = None) -> SearchLoop:
    """Bind the experiment's search to a way of evaluating.

    Args:
      run: for the settings.
      evaluate: see `SearchLoop`.
      trained: the state after training, for what follows its gradients, and for what
        the strategy has come to prefer; None: training is not done.
    """
    return SearchLoop(
        run.experiment.search,
        run.supernet.space,
        run.columns,
        evaluate,
        run.costs,
        None if trained is None else relax(run, trained),
        None if trained is None else derived(run, trained),
    )


def derived(run: "Run", trained: State) -> np.ndarray | None:
    """Give what a trained strategy has come to prefer.

    Args:
      run: whose strategy.
      trained: the state after training.

    Returns:
      `int32[N, D]` over all sub-supernets; None if it prefers nothing.
    """
    found = []
    strategies, tables = host((trained["strategy"], trained["allowed"]))
    for s, table in enumerate(tables):
        own = jax.tree.map(lambda leaf, s=s: leaf[s], strategies)
        rows = run.experiment.strategy.derive(own, run.supernet.space, table)
        if rows is not None:
            found.append(np.asarray(rows, np.int32))
    return np.concatenate(found) if found else None

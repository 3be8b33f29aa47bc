"""What scores of untrained networks are worth on NAS-Bench-201: tau with the truth.

Question: how well do NASWOT, SynFlow, AZ-NAS and its views, SNIP and the norm of the
gradient order cells by their published errors on CIFAR-10 after 200 epochs, next to
counting multiply-accumulates and live parameters? Every cell is scored in the network
of the benchmark (16 channels, 5 cells a stage) with one draw of weights, which cells
share where they have the same operation. The sample takes one cell of each of as many
strata of rising cost. AZ-NAS looks at noise, as in its paper, the others at images.

Command: python -m experiments.studies.proxies_nasbench201 --root DATA --date 2026-01-31
"""

import argparse
import time
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.record import parse, parser, save
from experiments.published.nasbench201_table import NASBench201Table
from nas.data import Cifar10
from nas.ranking.baselines import cost_baselines, live_baseline, proxy_scores
from nas.ranking.bootstrap import draw_counts, interval, taus
from nas.ranking.correlation import tau_b
from nas.ranking.sampling import stratified_rows
from predictors.zero_cost.az_nas import AZNAS
from predictors.zero_cost.grad_norm import GradNorm
from predictors.zero_cost.naswot import NASWOT
from predictors.zero_cost.snip import SNIP
from predictors.zero_cost.synflow import SynFlow
from supernets import NASBench201Supernet

PROXIES = (NASWOT(), SynFlow(), AZNAS(), SNIP(), GradNorm())
VIEWS = ("expressivity", "progressivity", "trainability")
FULL = 300
MEAN = np.array([0.4914, 0.4822, 0.4465], np.float32)
SPREAD = np.array([0.2470, 0.2435, 0.2616], np.float32)


def main() -> None:
    """Score, compare, print and, if asked, write."""
    arguments = _arguments()
    table = NASBench201Table(arguments.root).load().complete()
    supernet = NASBench201Supernet(
        channels=arguments.channels, cells=arguments.cells_a_stage
    )
    costs = supernet.costs(table.genotypes)["macs"]
    table = table.take(stratified_rows(costs, arguments.cells, arguments.seed))
    inputs, labels = _batch(arguments)
    scores = {
        "MACs": -cost_baselines(supernet, table.genotypes)["macs"],
        "live parameters": -live_baseline(supernet, table.genotypes),
    }
    seconds: dict[str, dict[str, float]] = {}
    for proxy in PROXIES:
        if arguments.proxies and proxy.NAME not in arguments.proxies:
            continue
        found, seconds[proxy.NAME] = _timed(
            supernet, proxy, table.genotypes, inputs, labels, arguments.seed
        )
        macs = supernet.costs(table.genotypes)["macs"]
        scores[proxy.NAME] = proxy.assemble(found, macs)
        if found.ndim > 1:
            views = zip(VIEWS, found.T, strict=True)
            scores |= {f"{proxy.NAME}: {name}": view for name, view in views}
        print(f"scored by {proxy.NAME}", flush=True)
    truth = table.mean("error")
    rng = np.random.default_rng(arguments.seed)
    counts = draw_counts(rng, len(truth))
    compared = {name: _compared(truth, -v, counts) for name, v in scores.items()}
    _show(compared, seconds, len(truth))
    result: dict[str, Any] = {"proxies": compared, "seconds": seconds}
    result |= {"n": len(truth), "truth": table.name, "batch": len(inputs)}
    result["inputs"] = "images" if arguments.data else "gaussian noise"
    save(arguments, result)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument(
        "--root", default="", help="folder of the table; NAS_DATA if none"
    )
    made.add_argument("--data", default="", help="folder of CIFAR-10; noise if none")
    made.add_argument("--cells", type=int, default=FULL, help="how many to score")
    made.add_argument("--channels", type=int, default=16, help="of the first stage")
    made.add_argument("--cells-a-stage", type=int, default=5, help="of the network")
    made.add_argument("--batch", type=int, default=64, help="examples for the proxies")
    made.add_argument("--proxies", nargs="*", default=[], help="names; all if none")
    made.add_argument("--seed", type=int, default=0, help="of the sample and weights")
    return parse(made)


def _batch(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Take the first images with labels, or noise with random labels."""
    size = arguments.batch
    if not arguments.data:
        rng = np.random.default_rng(arguments.seed)
        noise = rng.normal(size=(size, 32, 32, 3)).astype(np.float32)
        return noise, rng.integers(0, 10, size).astype(np.int32)
    data = Cifar10(arguments.data).load()
    images = data.inputs[:size].astype(np.float32) / 255
    return (images - MEAN) / SPREAD, data.labels[:size].astype(np.int32)


def _timed(
    supernet: NASBench201Supernet,
    proxy: Any,
    genotypes: np.ndarray,
    inputs: np.ndarray,
    labels: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, dict[str, float]]:
    """Score, and give the seconds of the first cell and of each later one."""
    times = [time.perf_counter()]
    found = proxy_scores(
        supernet,
        proxy,
        genotypes,
        jnp.asarray(inputs),
        jnp.asarray(labels),
        seed,
        lambda: times.append(time.perf_counter()),
    )
    passed = np.diff(times)
    each = float(passed[1:].mean()) if len(passed) > 1 else 0.0
    return found, {"first": float(passed[0]), "each": each}


def _compared(
    truth: np.ndarray, estimate: np.ndarray, counts: np.ndarray
) -> dict[str, float | None]:
    """Give tau-b with its interval; infinite scores come first or last."""
    finite = estimate[np.isfinite(estimate)]
    estimate = np.clip(estimate, finite.min() - 1, finite.max() + 1)
    low, high = interval(taus(counts, truth, estimate))
    return {"tau": tau_b(truth, estimate), "low": low, "high": high}


def _show(
    compared: dict[str, dict[str, float | None]],
    seconds: dict[str, dict[str, float]],
    n: int,
) -> None:
    print(f"Kendall's tau-b with the error after 200 epochs, {n} cells")
    for name, found in sorted(
        compared.items(), key=lambda item: -(item[1]["tau"] or 0)
    ):
        if found["tau"] is None or found["low"] is None:
            print(f"  {name:24} none")
        else:
            print(
                f"  {name:24} {found['tau']:6.3f} ({found['low']:.3f} to "
                f"{found['high']:.3f})"
            )
    for name, spent in seconds.items():
        whole = spent["first"] + (FULL - 1) * spent["each"]
        print(
            f"  {name:24} first {spent['first']:.1f} s, then {spent['each']:.2f} s a "
            f"cell: {whole / 60:.0f} min for {FULL}"
        )


if __name__ == "__main__":
    main()

"""How well is a device's latency predicted from few measurements, beside MACs alone?

Question: `nas profile --latency` measures 40 networks and fits options and costs to
them. On devices whose every latency is published, how far are the predictions of other
networks off, how well are these ordered, and how much of that do multiply-accumulates
tell by themselves?

Method: the 27 settings of devices that Lee et al. measured on NAS-Bench-201 (HELP,
NeurIPS 2021, arXiv 2106.08630). For each seed, strata of rising MACs give the networks
that are fitted, and 2,000 others are drawn to be predicted. Both models are fitted in
the same way, by `predictors.latency.standard`. Means over seeds; the spread is a
standard deviation. Cells without a path take next to no time on some phones, so that
the mean of relative errors says little there; the median is beside it.

Command: NAS_DATA=DIR python -m experiments.studies.latency_devices --date 2026-01-31 \
--json experiments/results/latency_devices.json
"""

from typing import Any

import numpy as np

from experiments.benchmarks.record import parse, parser, save, show
from experiments.nasbench201_tabular import experiment
from nas.latency.features import COSTS, encode
from nas.ranking.sampling import stratified_rows
from predictors.latency import HeldOut, fitted_error, standard

HELD_OUT = 2000
MODELS = ("options and costs", "multiply-accumulates alone")


def errors(
    features: np.ndarray, macs: np.ndarray, ms: np.ndarray, samples: int, seed: int
) -> dict[str, HeldOut]:
    """Fit both models to one sample of a device and predict others.

    Args:
      features: `float64[P, F]` of every network.
      macs: `float64[P]`.
      ms: `float64[P]`.
      samples: how many are fitted.
      seed: decides which, and which are predicted.

    Returns:
      The error on those that were not fitted, by model.
    """
    chosen = stratified_rows(macs, samples, seed)
    rng = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(len(ms)), chosen)
    rows = np.concatenate([chosen, rng.permutation(others)[:HELD_OUT]])
    fit = np.arange(len(rows)) < samples
    inputs = ((features, len(COSTS)), (macs[:, None], 1))
    return {
        name: fitted_error(standard(costs), x[rows], ms[rows], fit)
        for name, (x, costs) in zip(MODELS, inputs, strict=True)
    }


def summary(found: list[HeldOut]) -> dict[str, Any]:
    """Average the errors of a model over seeds."""
    taus = np.array([error.tau for error in found], np.float64)
    return {
        "mape": float(np.mean([error.mape for error in found])),
        "median": float(np.mean([error.median for error in found])),
        "tau": float(taus.mean()),
        "tau_sd": float(taus.std(ddof=1)) if len(taus) > 1 else None,
        "n": found[0].n,
    }


def main() -> None:
    """Fit every device; print a table and write it."""
    made = parser(__doc__)
    made.add_argument(
        "--samples", type=int, default=40, help="networks that are fitted"
    )
    made.add_argument("--seeds", type=int, default=10, help="samples of each device")
    arguments = parse(made)
    table = experiment.truth.load()
    supernet = experiment.supernet.with_data(
        experiment.input_shape, experiment.num_classes
    )
    features = encode(supernet, table.genotypes)
    macs = supernet.costs(table.genotypes)["macs"].astype(np.float64)
    devices = {}
    for name, ms in table.columns.items():
        found = [
            errors(features, macs, ms, arguments.samples, seed)
            for seed in range(arguments.seeds)
        ]
        devices[name.removeprefix("latency_ms_")] = {
            model: summary([each[model] for each in found]) for model in MODELS
        }
    rows = [("device", "error", "median", "tau", "MACs alone: median", "tau")]
    for name, by_model in devices.items():
        ours, alone = (by_model[model] for model in MODELS)
        rows.append(
            (
                name,
                f"{ours['mape']:.1%}",
                f"{ours['median']:.1%}",
                f"{ours['tau']:.3f}",
                f"{alone['median']:.1%}",
                f"{alone['tau']:.3f}",
            )
        )
    show(f"{arguments.samples} networks fitted, {arguments.seeds} seeds", rows)
    settings = {"samples": arguments.samples, "seeds": arguments.seeds}
    save(arguments, {"settings": settings, "table": table.hash, "devices": devices})


if __name__ == "__main__":
    main()

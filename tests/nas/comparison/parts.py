"""Folders of runs that nobody ran, written by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 400


def rank_json(tau: float, truth: str = "abc", n: int = 64) -> dict[str, Any]:
    """What the stage rank writes, with only what a comparison reads."""
    each = {
        "spearman": tau + 0.1,
        "tau_better_half": tau - 0.2,
        "best_k_median_rank": 20 * (1 - tau),
        "regret_at_k": 0.01,
    }
    partial = {"tau": tau - 0.4, "beyond_copy": tau - 0.5, "given": "live_parameters"}
    return {
        "tau": tau,
        "n": n,
        "baselines": {
            "macs": {"tau": 0.55, "low": 0.5, "high": 0.6},
            "live_parameters": {"tau": 0.62, "low": 0.6, "high": 0.7},
            "ridge": {"tau": 0.8, "low": 0.7, "high": 0.9, "n": 14, "sample": 50},
        },
        "ceiling": {"seed_to_seed": 0.9, "seed_to_others": 0.92},
        "partial_tau": partial,
        "by": {
            "nll": {**each, "tau": tau, "partial_tau": partial},
            "error": {**each, "tau": tau - 0.05},
        },
        "truth": {"hash": truth, "name": "cells"},
    }


def write_run(
    folder: Path,
    seed: int = 0,
    tau: float | None = 0.6,
    loss: float = 1.0,
    steps: int = STEPS,
    space: str = "space",
    scalars: Mapping[str, Sequence[tuple[int, float]]] | None = None,
    **rank: Any,
) -> Path:
    """Write the folder of a run that trained for `steps` of its 400 steps."""
    folder.mkdir(parents=True)
    config = {
        "name": "study",
        "seed": seed,
        "space_hash": space,
        "training": {"steps": STEPS, "batch_size": 16},
        "search": {"objectives": ["error", "macs"]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    at = range(100, steps + 1, 100)
    rows = {"train/loss": [(step, loss * STEPS / step) for step in at]}
    if tau is not None:
        rows["rank/tau_nll"] = [(step, tau * (1 - 50 / step)) for step in at]
        (folder / "rank.json").write_text(json.dumps(rank_json(tau, **rank)))
    lines = [
        json.dumps({"step": step, "name": name, "value": value})
        for name, pairs in {**rows, **(scalars or {})}.items()
        for step, value in pairs
    ]
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


def write_sweep(
    folder: Path,
    taus: Mapping[str, Sequence[float | None]],
    planned: Sequence[str] = (),
    **run: Any,
) -> Path:
    """Write a sweep: tau of each seed by variant; None leaves that run out."""
    folder.mkdir(parents=True)
    num = max(map(len, taus.values()))
    plan = {
        "experiment": "study",
        "variants": [*taus, *planned],
        "seeds": list(range(num)),
    }
    (folder / "sweep.json").write_text(json.dumps(plan))
    for variant, values in taus.items():
        for seed, tau in enumerate(values):
            if tau is not None:
                where = folder / variant / f"seed_{seed}"
                write_run(where, seed, tau, loss=2 - tau, **run)
    return folder


def noisy(mean: float, num: int = 5, seed: int = 0) -> list[float]:
    """Taus around a mean."""
    return list(mean + np.random.default_rng(seed).normal(0, 0.03, num))

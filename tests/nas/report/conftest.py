"""A workdir as a small run would leave it, written by hand."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from nas.search.archive import Archive
from search_spaces import Decision, SearchSpace

COLUMNS = ("nll", "error", "macs", "params", "bytes")
HOSTILE = '<script>alert("x")</script> & co'

SPACE = SearchSpace(
    "blocks",
    (
        Decision("depth", (1, 2)),
        Decision("width_1", (8, 16, 24)),
        Decision("width_2", (8, 16, 24), requires=("depth", (2,))),
    ),
)


def measured(genotypes: np.ndarray) -> dict[str, np.ndarray]:
    """Make up values in which the last option costs most and errs least."""
    total = genotypes.sum(1) + 1.0
    macs = 1000 * total**3
    return {
        "nll": 1 / total,
        "error": 0.5 / total,
        "macs": macs,
        "params": macs / 10,
        "bytes": 4 * macs / 10,
    }


def archive_of_two_searches() -> Archive:
    genotypes = SPACE.enumerate()
    archive = Archive.empty(SPACE, COLUMNS, len(genotypes))
    for number, rows in enumerate((genotypes[::2], genotypes[1::2])):
        archive = archive.add(rows, measured(rows), number)
    return archive


def entry(genotype: list[int]) -> dict:
    row = np.asarray([genotype], np.int32)
    values = {name: float(v[0]) for name, v in measured(row).items()}
    return {
        "id": SPACE.id(row[0]),
        "genotype": genotype,
        "choices": SPACE.decode(row[0]),
        "objectives": values,
        "interval": [0.8 * values["error"], 1.2 * values["error"]],
        "dominated": False,
        "remeasured": True,
    }


def card(subnet: str) -> dict:
    run = {"error": 0.0625, "error_interval": [0.05, 0.08]}
    return {
        "id": subnet,
        "latency": {"median_ms": 0.7345, "device": "cpu", "num_runs": 30},
        "finetune": {
            "budget": "Told <how>.",
            "inherited": run,
            "uniform": run | {"macs": 12345},
        },
    }


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """Two searches, a front of two, one of them exported."""
    config = {
        "name": HOSTILE,
        "seed": 17,
        "num_classes": 10,
        "input_shape": [8, 8, 1],
        "supernet": {"class": "Blocks", "space": SPACE.to_json()},
        "search": {
            "controller": {"class": "Guess"},
            "objectives": ["nll", "macs"],
            "where": [],
        },
        "training": {"steps": 300, "batch_size": 32},
        "optimizer": {"class": "SGD", "learning_rate": 0.1},
        "versions": {"jax": "9.8.7"},
        "split_sizes": {"weights": 1000, "search": 333, "report": 444},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    lines = []
    for step, loss in ((100, 2.0), (200, 1.5), (300, 1.0)):
        values = {"train/loss": loss, "train/accuracy": 1 - loss / 3}
        for d in SPACE.decisions:
            for k, option in enumerate(d.options):
                share = 0.0 if (d.name, option) == ("width_1", 24) else 1 / (k + 2)
                values[f"sampler/{d.name}/{option}"] = share
        lines += [
            json.dumps({"step": step, "name": name, "value": value})
            for name, value in values.items()
        ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    archive_of_two_searches().write_csv(tmp_path / "archive.csv")
    members = [entry([0, 0, 0]), entry([1, 2, 1])]
    (tmp_path / "front.json").write_text(json.dumps(members))
    folder = tmp_path / "subnets" / members[0]["id"]
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(card(members[0]["id"])))
    (folder / "parity.json").write_text(
        json.dumps({"checks": {"module_vs_supernet": {"relative": 2.5e-7}}})
    )
    (folder / "predict.py").write_text("")
    return tmp_path


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)

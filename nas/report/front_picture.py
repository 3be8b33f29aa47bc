"""One picture of a front with its baselines, as for the top of a README.

Behind the front of the run stand random search, given the same number of evaluations
of the same supernet, and the uniformly scaled family. All are measured on the report
split, with one way of evaluating.

    python -m nas.report.front_picture WORKDIR OUT.svg

writes the picture and, beside it, `OUT.numbers.json`. While the run's front
stays as it is, the picture is drawn again from those numbers and nothing is measured.
"""

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from nas.errors import UserError
from nas.evaluation.evaluate import COLUMNS
from nas.report.front_figure import front_figure, points_of
from nas.report.style import BLUE, INK, VERMILLION, write_figure
from nas.runtime.workdir import Workdir, write_json_atomic
from nas.search.discovery import discover
from nas.search.uniform import uniform_family

if TYPE_CHECKING:
    from nas.run import Run

SCHEMA = 1
BASELINE = "random"
# Among the keys of searches, one that no search of a run has.
_BASELINE_NUMBER = 1_000_000
_LOOKS = {
    "front": (BLUE, "o", "-"),
    "random": (VERMILLION, "s", "--"),
    "uniform": (INK, "D", ""),
}


def measure_front_picture(run: "Run") -> dict[str, Any]:
    """Measure the baselines of a finished run.

    Args:
      run: trained, searched and re-measured.

    Returns:
      What `front_picture` draws, as JSON data.

    Raises:
      UserError: the run has no front yet.
    """
    from nas.stages.front import evaluated_member, read_front
    from nas.stages.search import make_loop
    from nas.stages.train import load_trained
    from nas.training import averaging
    from nas.training.keys import role_key

    members = [m for m in read_front(run) if not m.dominated]
    trained = load_trained(run)

    def measure(split: str, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        return run.evaluator.evaluate(
            averaging.evaluated(trained),
            trained["allowed"],
            genotypes,
            run.on_device(split),
        )

    def entries(genotypes: np.ndarray) -> list[dict[str, Any]]:
        values = measure("report", genotypes)
        rows = [
            {name: v[i] for name, v in values.items()} for i in range(len(genotypes))
        ]
        return [
            evaluated_member(run, genotype, row, False).to_json()
            for genotype, row in zip(genotypes, rows, strict=True)
        ]

    evaluated = _evaluated(run, COLUMNS)
    search = dataclasses.replace(
        run.experiment.search,
        controller=discover()[BASELINE](),
        evaluations=max(len(evaluated["macs"]), 1),
    )
    loop = dataclasses.replace(
        make_loop(run, lambda genotypes: measure("search", genotypes)), search=search
    )
    state = loop.init(role_key(run.experiment.seed, "search", _BASELINE_NUMBER))
    while not loop.done(state):
        state = loop.step(state)
    archive = loop.archive(state)
    rows = loop.front(state)
    cost = archive.column("macs")[rows]
    rows = rows[np.argsort(cost, kind="stable")]
    # As many members as the front of the run, spread in the same way.
    keep = np.linspace(0, len(rows) - 1, min(len(rows), run.experiment.export.most))
    rows = rows[np.unique(keep.round().astype(int))]
    return {
        "schema": SCHEMA,
        "experiment": run.experiment.name,
        "evaluations": int(state["evaluations"]),
        "report_images": len(run.splits.report),
        "controller": run.experiment.search.controller.NAME,
        "front": [member.to_json() for member in members],
        "random": entries(archive.genotypes[rows]),
        "uniform": entries(uniform_family(run.supernet)),
        "evaluated": evaluated,
    }


def front_picture(data: dict[str, Any], quality: str = "error") -> Figure:
    """Draw the picture.

    Args:
      data: from `measure_front_picture`.
      quality: `error`, with intervals, or `nll`, which is less noisy.

    Returns:
      The figure.
    """
    labels = {
        "front": f"found by {data['controller']}, {data['evaluations']} evaluations",
        "random": "found by random search, as many",
        "uniform": "every decision scaled together by hand",
    }
    shown = []
    for name, (colour, marker, line) in _LOOKS.items():
        if not data[name]:
            continue
        points = points_of(
            labels[name],
            [entry["objectives"] for entry in data[name]],
            [entry["interval"] for entry in data[name]],
            _names(data[name]) if name == "uniform" else (),
        )
        look = {"colour": colour, "marker": marker, "line": line}
        # The family also holds networks that barely work.
        shown.append(dataclasses.replace(points, fits=name != "uniform", **look))
    evaluated = {name: np.asarray(v, float) for name, v in data["evaluated"].items()}
    return front_figure(
        evaluated,
        None,
        shown,
        qualities=(quality,),
        size=(7.2, 4.4),
        best_line=False,
    )


def _names(family: Sequence[dict[str, Any]]) -> list[str]:
    """Name networks by their only option, and otherwise the ends by their size."""
    ends = {0: "smallest", len(family) - 1: "largest"}
    names = []
    for place, entry in enumerate(family):
        options = {str(option) for option in entry["choices"].values()}
        only = f"all {options.pop()}" if len(options) == 1 else ends.get(place, "")
        names.append(only)
    return names


def fingerprint(workdir: Workdir) -> str:
    """Give a text that changes when the run's front or archive does."""
    digest = hashlib.sha256()
    for path in (workdir.front, workdir.archive):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()[:16]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the picture of a workdir; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m nas.report.front_picture",
        description="Draw a run's front with random search and a uniform family.",
    )
    parser.add_argument("workdir", help="of a run that was searched")
    parser.add_argument("out", help="picture to write: .svg or .png")
    parser.add_argument("--experiment", help="its file, if it is your own")
    parser.add_argument("--quality", choices=("error", "nll"), default="error")
    given = parser.parse_args(arguments)
    try:
        return _write(given.workdir, given.out, given.experiment, given.quality)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _write(workdir: str, out: str, experiment: str | None, quality: str) -> int:
    if Path(out).suffix not in (".svg", ".png"):
        raise UserError(f"{out} is no picture's name: end it in .svg or .png.")
    numbers = Path(out).with_suffix(".numbers.json")
    mark = fingerprint(Workdir(workdir, exclusive=False))
    data = _known(numbers, mark)
    if data is None:
        from nas.cli.arguments import parse
        from nas.cli.session import load_session

        names = [experiment, "--workdir", workdir] if experiment else [workdir]
        from nas.cli.stages import WORKDIR

        session = load_session(parse(names, [WORKDIR], 1), [WORKDIR], True, print)
        with session.open(print) as run:
            data = measure_front_picture(run) | {"fingerprint": mark}
        write_json_atomic(numbers, data)
    write_figure(front_picture(data, quality), out)
    print(f"{out} and {numbers}")
    return 0


def _known(numbers: Path, mark: str) -> dict[str, Any] | None:
    """Read the numbers of an earlier picture, if they are of the same front."""
    if not numbers.exists():
        return None
    try:
        data = json.loads(numbers.read_text(encoding="utf-8"))
    except ValueError:
        return None
    same = isinstance(data, dict) and data.get("schema") == SCHEMA
    return data if same and data.get("fingerprint") == mark else None


def _evaluated(run: "Run", columns: tuple[str, ...]) -> dict[str, list[float]]:
    """Read what the run's searches evaluated, for the dots behind the fronts."""
    from nas.report.record import read_record

    if run.workdir is None:
        return {name: [] for name in columns}
    archive = read_record(run.workdir.path).archive
    if archive is None:
        return {name: [] for name in columns}
    return {name: values.tolist() for name, values in archive.table().items()}


if __name__ == "__main__":
    sys.exit(main())

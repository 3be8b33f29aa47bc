"""What a benchmark leaves: a table on the screen and, if asked, a JSON file.

The file holds what a reader needs to run the same again: the command, the machine, the
versions, and the date, which the caller gives because results are dated by people.
"""

import argparse
import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.benchmarks.blocks import CLOCKS
from nas.runtime.workdir import write_json_atomic

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch")
_CPU_INFO = Path("/proc/cpuinfo")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options that all benchmarks share.

    Args:
      doc: the module's docstring; its first paragraph becomes the help text.

    Returns:
      A parser with `--json`, `--date` and `--clock`.
    """
    first = (doc or "").partition("\n\n")[0]
    made = argparse.ArgumentParser(description=first)
    made.add_argument("--json", type=Path, help="also write the result to this file")
    made.add_argument("--date", help="of the measurement, for the file: 2026-01-31")
    made.add_argument(
        "--clock",
        choices=sorted(CLOCKS),
        default="wall",
        help="processor: leave out what else runs; use with taskset -c 0",
    )
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; a file without a date is refused."""
    arguments = made.parse_args()
    if arguments.json is not None and not arguments.date:
        made.error("--json needs --date, the day of the measurement")
    return arguments


def save(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """Write a result with what is needed to repeat it, if a file was asked for.

    Args:
      arguments: from `parse`.
      result: JSON values and dataclasses of them.
    """
    if arguments.json is None:
        return
    plain = json.loads(json.dumps(result, default=dataclasses.asdict))
    content = {"command": command(), "date": arguments.date} | environment() | plain
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomic(arguments.json, content)
    print(f"Written to {arguments.json}")


def command() -> str:
    """Give the command that is running, as a person would type it."""
    spec = sys.modules["__main__"].__spec__
    name = spec.name if spec is not None else Path(sys.argv[0]).stem
    return shlex.join(["python", "-m", name, *sys.argv[1:]])


def environment() -> dict[str, Any]:
    """Describe the machine and the versions."""
    device = jax.devices()[0]
    found = [name for name in PACKAGES if importlib.util.find_spec(name) is not None]
    pinned = getattr(os, "sched_getaffinity", None)
    return {
        "device": f"{device.platform}: {device.device_kind}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_used": len(pinned(0)) if pinned is not None else os.cpu_count(),
        # Above the number of cores, something else was running as well.
        "load_average": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in found},
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def show(title: str, rows: Sequence[Sequence[Any]]) -> None:
    """Print a table: a title, a header row and rows, columns aligned.

    Args:
      title: above the table.
      rows: the first is the header; cells are written by `str`.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}")
    for number, row in enumerate(cells):
        line = "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True))
        print(f"  {line.rstrip()}")
        if number == 0:
            print(f"  {'  '.join('-' * w for w in widths)}")


def milliseconds(seconds: float) -> str:
    """Write a time with three digits that matter."""
    return f"{seconds * 1e3:.3g} ms"


def _processor() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

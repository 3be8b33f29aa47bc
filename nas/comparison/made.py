"""By which commands the compared runs were made, when, and on what machine."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.comparison.outcomes import PLAN

CONFIG = "config.json"
# Of a run's configuration, what tells how it was made.
_TOLD = ("command", "backend", "versions")


def how_made(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Read how runs and sweeps were made.

    Args:
      folders: workdirs of runs, and folders of sweeps.

    Returns:
      For each command of a sweep, and for each run, what it recorded: the command, and
      where known the date, device, machine and versions. Those that recorded nothing
      are left out.
    """
    found: list[dict[str, Any]] = []
    for folder in folders:
        plan = _read(folder / PLAN)
        commands = plan.get("commands", [])
        if not commands:
            config = _read(folder / CONFIG)
            commands = [{name: config[name] for name in _TOLD if name in config}]
        for made in commands:
            if made and made not in found:
                found.append(made)
    return found


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        # Whoever reads the numbers in it refuses the file; this is only told beside.
        return {}
    return value if isinstance(value, dict) else {}

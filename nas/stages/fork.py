"""Folders of their own for searches of one trained supernet.

Searches in one folder know what those before them evaluated, which is what people want
who search on, and what nobody may do who compares controllers. A fork has the training
of another folder and an empty archive; the weights are linked, not copied. What was
measured of the device counts in it, too, unless it has measurements of its own.
"""

import json
import shutil
from pathlib import Path

from nas.errors import UserError
from nas.runtime.processes import barrier, is_main
from nas.runtime.workdir import Workdir, write_bytes_atomic
from nas.stages.searching import SETTINGS, search_folders

WEIGHTS = Path("checkpoints") / "train"


def fork(source: Path, target: Path) -> None:
    """Make a folder that searches the trained weights of another, unless it is there.

    Args:
      source: the folder of a run that was trained.
      target: the new one. One that was made from `source` before is left as it is.

    Raises:
      UserError: the source holds no training, or the target holds something else.
    """
    source, target = source.absolute(), target.absolute()
    if source == target:
        raise UserError(
            f"--into {target}: the folder is that of the trained run itself. Give "
            "another one."
        )
    if not (source / WEIGHTS).is_dir():
        raise UserError(
            f"{source} holds no trained weights. Train first: nas train, with "
            f"--workdir {source}."
        )
    if is_main():
        _make(source, target)
        # Also into a fork that is older than the measurements.
        measured, own = (Workdir(p, exclusive=False).latency for p in (source, target))
        if measured.exists() and not own.exists():
            write_bytes_atomic(own, measured.read_bytes())
    barrier("forking")


def _make(source: Path, target: Path) -> None:
    link = target / WEIGHTS
    if (target / "config.json").exists():
        if link.resolve() != (source / WEIGHTS).resolve():
            raise UserError(
                f"--into {target}: the folder holds a run that was not made from "
                f"{source}. Give another one."
            )
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to((source / WEIGHTS).resolve(), target_is_directory=True)
    write_bytes_atomic(target / "metrics.jsonl", _training_log(source))
    if (source / "partition.json").exists():
        shutil.copyfile(source / "partition.json", target / "partition.json")
    # Last, because with it the folder is complete.
    write_bytes_atomic(target / "config.json", (source / "config.json").read_bytes())


def _training_log(source: Path) -> bytes:
    """Read what was logged before the first search began."""
    path = source / "metrics.jsonl"
    if not path.exists():
        return b""
    searches = search_folders(source / "checkpoints")
    if not searches:
        return path.read_bytes()
    begun = json.loads((searches[0] / SETTINGS).read_text(encoding="utf-8"))
    return path.read_bytes()[: begun["metrics_offset"]]

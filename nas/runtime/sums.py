"""Sums of the files of a folder: damage is found before anything interprets them.

A library that reads a damaged file may crash, log, or return something else. With
several processes it may also fail on one of them alone, while the others wait for it.
"""

import contextlib
import json
import zlib
from pathlib import Path

from nas.runtime.workdir import StorageError, write_json_atomic

_CHUNK_BYTES = 1 << 22


def write_sums(folder: Path, target: Path) -> None:
    """Write the size and CRC-32 of every file under a folder.

    A disk that refuses is no error: the folder is whole, and only less well guarded.

    Args:
      folder: what to sum; it must not change any more.
      target: the JSON file to write, outside of the folder.
    """
    with contextlib.suppress(StorageError):
        write_json_atomic(target, _sums(folder))


def damage(folder: Path, target: Path) -> str | None:
    """Say which file is not as it was when the sums were written.

    Args:
      folder: what was summed.
      target: the file that `write_sums` wrote. A process that was killed before it
        could do so leaves none, and then nothing is known.

    Returns:
      What is wrong, or None.
    """
    try:
        expected = json.loads(target.read_text())
        found = _sums(folder)
        names = sorted(expected | found)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        return f"{target.name} cannot be read ({error})"
    for name in names:
        if expected.get(name) != found.get(name):
            return f"{name} is not as it was saved"
    return None


def _sums(folder: Path) -> dict[str, list[int]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _sum(path) for path in files}


def _sum(path: Path) -> list[int]:
    size = crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            crc = zlib.crc32(chunk, crc)
    return [size, crc]

"""The folder of a run: where each file is, and that only one process uses it."""

import errno
import fcntl
import json
import os
import socket
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from nas.errors import UserError
from nas.runtime import processes

_ABSENT = "(absent)"
_MOST_DIFFERENCES = 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StorageError(RuntimeError):
    """The disk refused what a run wrote. What was there before is intact."""


class Difference(NamedTuple):
    """One field of a configuration that is not as it was."""

    path: str
    old: str
    new: str


class Workdir:
    """The folder of a run.

    Entering makes it ours until the process ends, by `flock`: the kernel drops the
    lock with its process, so that a killed run leaves nothing to clean up. With
    several processes, process 0 holds the lock and writes for all.

    Attributes:
      path: the folder itself, absolute.
    """

    def __init__(self, path: str | os.PathLike[str], exclusive: bool = True) -> None:
        """Make the folder, or take the one that is there.

        Args:
          path: the folder; made with its parents unless it exists.
          exclusive: False only looks: the folder must exist, and is not locked.

        Raises:
          UserError: the path is a file, cannot be written, does not exist
            (`exclusive=False`), or is in use by another process.
        """
        self.path = Path(path).expanduser().absolute()
        self._release: Callable[[], None] | None = None
        if not exclusive:
            if not self.path.is_dir():
                raise UserError(
                    f"There is no folder {self.path}. Give the --workdir of a run."
                )
            return
        self._on_main(self._open, f"Opening {self.path}")

    @property
    def config(self) -> Path:
        """The whole experiment, with versions, seed and space hash."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """Every scalar, one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """One folder of Orbax checkpoints for each stage that saves state."""
        return self.path / "checkpoints"

    @property
    def archive(self) -> Path:
        """Every architecture that was evaluated."""
        return self.path / "archive.csv"

    @property
    def front(self) -> Path:
        """The Pareto front of the latest search."""
        return self.path / "front.json"

    @property
    def rank(self) -> Path:
        """How well the supernet ranks, when there is a truth."""
        return self.path / "rank.json"

    @property
    def truth(self) -> Path:
        """What architectures reach when each is trained alone."""
        return self.path / "truth.npz"

    @property
    def latency(self) -> Path:
        """What some architectures took when they were measured on a device."""
        return self.path / "latency.json"

    @property
    def partition(self) -> Path:
        """How the supernet was split while it was trained, and by what evidence."""
        return self.path / "partition.json"

    @property
    def report(self) -> Path:
        """The page that explains the run."""
        return self.path / "report.html"

    @property
    def subnets(self) -> Path:
        """One folder for each exported architecture."""
        return self.path / "subnets"

    def subnet(self, subnet_id: str) -> Path:
        """Return the folder of one exported architecture.

        Raises:
          UserError: the id is no plain name, so that the folder would be elsewhere.
        """
        if subnet_id in ("", ".", "..") or Path(subnet_id).name != subnet_id:
            raise UserError(
                f"{subnet_id!r} is no id of a subnet. Allowed: an `id` of front.json."
            )
        return self.subnets / subnet_id

    def write_config(
        self, config: Mapping[str, Any], may_change: Iterable[str] = ()
    ) -> list[Difference]:
        """Write `config.json`, or hold the one that is there against this one.

        Args:
          config: a JSON object.
          may_change: dotted prefixes of what a later run may set anew, such as
            `search` for everything under it; then the file is written again.

        Returns:
          What changed among what may.

        Raises:
          UserError: something else changed, or the file is no JSON object.
        """
        return self._on_main(
            lambda: self._write_config(config, tuple(may_change)), "Writing config.json"
        )

    def read_config(self) -> dict[str, Any]:
        """Return `config.json`.

        Raises:
          UserError: it is missing or no JSON object.
        """
        if not self.config.exists():
            raise UserError(
                f"{self.path} holds no config.json, so it is no folder of a run. "
                "Give the --workdir of one."
            )
        return _read_object(self.config)

    def close(self) -> None:
        """Let others use the folder."""
        if self._release is not None:
            self._release()

    def __enter__(self) -> "Workdir":
        """Return the folder, which is ours already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let others use the folder."""
        self.close()

    def _open(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except (FileExistsError, NotADirectoryError):
            raise UserError(
                f"{self.path} cannot be a folder: it, or one of its parents, is a "
                "file. Give another --workdir."
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written: {error.strerror}. Give another "
                "--workdir, or change the rights of this one."
            ) from None
        # The finalizer also runs when nobody holds the Workdir any more.
        self._release = weakref.finalize(self, os.close, descriptor)
        try:
            _lock(descriptor, self.path)
        except BaseException:
            self._release()
            raise

    def _write_config(
        self, config: Mapping[str, Any], may_change: tuple[str, ...]
    ) -> list[Difference]:
        new = json.loads(json.dumps(config))
        if not self.config.exists():
            write_json_atomic(self.config, new)
            return []
        found = differences(_read_object(self.config), new)
        bad = [d for d in found if not _under(d.path, may_change)]
        if bad:
            raise UserError(_describe(self.config, bad))
        if found:
            write_json_atomic(self.config, new)
        return found

    def _on_main(self, do: Callable[[], Any], what: str) -> Any:
        """Run on process 0; raise on every process if it raises there."""
        result, error = [], None
        if processes.is_main():
            try:
                result = do()
            except (UserError, StorageError) as caught:
                error = caught
        processes.agree(error, what)
        return result


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Return every field that differs, by dotted path, in order.

    Args:
      old: a JSON object.
      new: another.
    """
    before, after = dict(_flatten(old, "")), dict(_flatten(new, ""))
    paths = sorted(before.keys() | after.keys())
    rows = [Difference(p, before.get(p, _ABSENT), after.get(p, _ABSENT)) for p in paths]
    return [row for row in rows if row.old != row.new]


def write_text_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write a whole file or nothing: a reader sees the old or the new one.

    Args:
      path: the file; its folder must exist.
      text: the contents, written as UTF-8.

    Raises:
      StorageError: the disk is full or refuses; the old file is intact.
    """
    write_bytes_atomic(path, text.encode())


def write_bytes_atomic(path: str | os.PathLike[str], contents: bytes) -> None:
    """Write a whole file or nothing, in the way of `write_text_atomic`.

    Args:
      path: the file; its folder must exist.
      contents: what it shall hold.

    Raises:
      StorageError: the disk is full or refuses; the old file is intact.
    """
    target = Path(path)
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".tmp"
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(contents)
            file.flush()
            os.fchmod(file.fileno(), _mode(target))
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise StorageError(refusal(error, str(target))) from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def write_json_atomic(path: str | os.PathLike[str], value: Any) -> None:
    """Write one JSON value, indented, in the way of `write_text_atomic`.

    Args:
      path: the file; its folder must exist.
      value: what `json` can write; NaN and infinities are refused.

    Raises:
      StorageError: the disk is full or refuses; the old file is intact.
      ValueError: the value holds a NaN or an infinity, which JSON has not.
    """
    write_text_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def refusal(error: OSError, what: str) -> str:
    """Say which file the disk refused, why, and what to do.

    Args:
      error: what the system said.
      what: the file, or what it is.
    """
    reason = error.strerror or str(error)
    remedy = "Check the disk"
    if error.errno in _FULL:
        remedy = "Free some space"
    return (
        f"{what} could not be written: {reason}. What was there before is intact. "
        f"{remedy}, and run the same command again to go on."
    )


def _lock(descriptor: int, path: Path) -> None:
    """Take the lock and sign it, or say who holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
        raise UserError(
            f"{path} is in use by {holder or 'another process'}. Wait until it ends, "
            "stop it, or give another --workdir."
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be locked: {error.strerror}. Its file system has no "
            "locks; give a --workdir on a local disk."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


def _mode(target: Path) -> int:
    """Return the rights of the file that is replaced, or those of a new one."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as JSON: {error}. Put back the file that the run "
            "wrote, or start again in another --workdir."
        ) from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a {type(value).__name__}, not a JSON object.")
    return value


def _flatten(value: Any, path: str) -> Iterable[tuple[str, str]]:
    """Yield (dotted path, JSON text) of every leaf; empty containers are leaves."""
    if isinstance(value, Mapping) and value:
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and value:
        items = enumerate(value)
    else:
        yield path, json.dumps(value)
        return
    for key, child in items:
        yield from _flatten(child, f"{path}.{key}" if path else str(key))


def _under(path: str, prefixes: tuple[str, ...]) -> bool:
    stems = [prefix.rstrip(".") for prefix in prefixes]
    return any(path == stem or path.startswith(stem + ".") for stem in stems)


def _describe(config: Path, bad: list[Difference]) -> str:
    lines = [f"  {d.path}: {d.old} -> {d.new}" for d in bad[:_MOST_DIFFERENCES]]
    if len(bad) > _MOST_DIFFERENCES:
        lines.append(f"  and {len(bad) - _MOST_DIFFERENCES} more")
    return (
        f"{config.parent} holds another experiment. Its config.json differs from what "
        "was asked for (there -> asked):\n" + "\n".join(lines) + "\nGive another "
        "--workdir, ask for what is there, or delete the folder to start anew."
    )

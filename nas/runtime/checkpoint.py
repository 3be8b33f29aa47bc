"""The state of a run on disk, by Orbax, complete or not at all, and checked when read.

A state is any pytree of arrays. It is saved flat, by the path of each leaf, with an
index of shapes, dtypes and CRC-32 sums: a state that has another structure is refused
by name, and a file that rotted is found out. Layouts are not part of what is saved: a
checkpoint from eight devices is read by one, or by two processes.
"""

import contextlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nas.errors import UserError
from nas.runtime import leaves, processes, sums
from nas.runtime.workdir import StorageError

_ASIDE = "unreadable."
_MOST_LEAVES = 12
_FULL = ("no space left", "disk quota", "file too large", "os_error_code='28'")


class CheckpointError(StorageError):
    """A checkpoint could not be saved; the one before it is intact."""


class Checkpoints:
    """The last few states of one stage of a run.

    With several processes every method is a collective: all of them call it.

    Leaves of a state are numpy or JAX arrays; typed PRNG keys are not (save
    `jax.random.key_data`).
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        keep: int = 2,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        """Open a folder of checkpoints; it is made by the first save.

        Args:
          directory: the folder, for one stage alone.
          keep: how many to keep; an old one goes when a new one is complete. With 1,
            a checkpoint that rots has nothing to fall back on.
          warn: told when a damaged checkpoint is passed over; `warnings.warn` unless
            given.
        """
        if keep < 1:
            raise ValueError(f"keep is {keep}; it must be at least 1.")
        self._directory = Path(directory).absolute()
        self._keep = keep
        self._warn = warn or (lambda message: warnings.warn(message, stacklevel=4))
        self._manager: Any = None
        self._damaged: list[int] = []

    def steps(self) -> list[int]:
        """Return the steps that are saved, rising; the damaged ones among them."""
        if self._manager is None and not self._directory.is_dir():
            return []
        return sorted(self._open().all_steps())

    def save(self, step: int, state: Any, metadata: Mapping[str, Any]) -> None:
        """Save a state; when this returns, it is complete.

        A step that is saved already stays as it is.

        Args:
          step: larger than any that is saved.
          state: a pytree of arrays, of the same structure each time.
          metadata: a JSON object to keep with it.

        Raises:
          CheckpointError: the disk is full or refuses; older checkpoints are intact.
          ValueError: the step is smaller than one that is saved.
        """
        self._set_aside()
        saved = self.steps()
        if step in saved:
            return
        if saved and step < saved[-1]:
            raise ValueError(f"step {step} comes after step {saved[-1]} was saved.")
        arrays = leaves.flatten(state)
        entries = {name: leaves.entry(array) for name, array in arrays.items()}
        index = leaves.seal(entries, metadata)
        # Orbax has no arrays of size 0; their shape in the index says all.
        stored = {n: leaves.portable(a) for n, a in arrays.items() if np.size(a)}
        if processes.is_main():
            # Left by somebody who deleted the folder of this step alone.
            self._sums(step).unlink(missing_ok=True)
        try:
            self._write(step, stored, index)
        except (OSError, ValueError, RuntimeError) as error:
            self._remove_partial(step)
            raise CheckpointError(_refusal(self._directory, step, error)) from error
        if processes.is_main():
            sums.write_sums(self._directory / str(step), self._sums(step))
            for path in self._directory.glob(self._sums("*").name):
                if not path.with_suffix("").exists():
                    path.unlink()

    def restore_latest(self, template: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """Read the newest state that is whole.

        Args:
          template: a pytree of the structure, shapes and dtypes to expect, or a
            function that makes it from the metadata. A JAX array, or a
            `jax.ShapeDtypeStruct` with a sharding, says where the leaf goes; a leaf
            without a sharding comes back as a numpy array.

        Returns:
          (step, state, metadata), or None when nothing was saved.

        Raises:
          UserError: the state that was saved has other leaves, or every checkpoint is
            damaged.
        """
        reasons: list[str] = []
        for step in reversed(self.steps()):
            try:
                state, metadata = self._read(step, template)
            except leaves.Unreadable as reason:
                reasons.append(f"step {step}: {reason}")
                self._damaged.append(step)
                continue
            if reasons:
                self._warn(
                    f"Passed over damaged checkpoints in {self._directory} "
                    f"({'; '.join(reasons)}). Going on from step {step}."
                )
            return step, state, metadata
        if reasons:
            raise UserError(
                f"Every checkpoint in {self._directory} is damaged "
                f"({'; '.join(reasons)}). Put back a copy of the folder, or delete it "
                "to start from the first step."
            )
        return None

    def clear(self) -> None:
        """Delete every checkpoint, so that the stage starts from its first step."""
        self.close()
        processes.barrier("checkpoints: before clearing")
        if processes.is_main() and self._directory.exists():
            shutil.rmtree(self._directory)
        processes.barrier("checkpoints: cleared")
        self._damaged.clear()

    def close(self) -> None:
        """Let go of what Orbax holds; the next use opens it again."""
        if self._manager is not None:
            with _quiet():
                self._manager.close()
            self._manager = None

    def _open(self) -> Any:
        if self._manager is None:
            import orbax.checkpoint as ocp

            options = ocp.CheckpointManagerOptions(
                preservation_policy=ocp.checkpoint_managers.LatestN(self._keep),
                cleanup_tmp_directories=True,
                # A step may donate its state: it must be on disk before we go on.
                enable_async_checkpointing=False,
            )
            with _quiet(), _storage(self._directory):
                self._manager = ocp.CheckpointManager(self._directory, options=options)
        return self._manager

    def _write(self, step: int, arrays: dict[str, Any], index: dict[str, Any]) -> None:
        import orbax.checkpoint as ocp

        items: dict[str, Any] = {"index": ocp.args.JsonSave(index)}
        if arrays:
            items["state"] = ocp.args.StandardSave(arrays)
        manager = self._open()
        with _quiet():
            manager.save(step, args=ocp.args.Composite(**items), force=True)
            manager.wait_until_finished()

    def _read(self, step: int, template: Any) -> tuple[Any, dict[str, Any]]:
        """Read, check and place one checkpoint; the same outcome on every process."""
        self._check_files(step)
        reason, result = None, None
        try:
            entries, metadata = leaves.unseal(self._item(step, "index", None))
            expected = template(metadata) if callable(template) else template
            wanted = leaves.flatten(expected)
            self._compare(step, entries, wanted)
            stored = {name: leaf for name, leaf in wanted.items() if np.size(leaf)}
            found = self._item(step, "state", stored) if stored else {}
            arrays = [leaves.place(n, found, leaf) for n, leaf in wanted.items()]
            leaves.verify(dict(zip(wanted, arrays, strict=True)), entries)
            result = jax.tree.unflatten(jax.tree.structure(expected), arrays)
        except leaves.Unreadable as error:
            reason = error
        if not all(processes.gather(reason is None)):
            raise reason or leaves.Unreadable("another process could not read it")
        assert result is not None
        return result, metadata

    def _check_files(self, step: int) -> None:
        """Look for damage on process 0, and tell all of them."""
        found = None
        if processes.is_main():
            found = sums.damage(self._directory / str(step), self._sums(step))
        if any(processes.gather(found is not None)):
            raise leaves.Unreadable(found or "process 0 found it damaged")

    def _sums(self, step: int | str) -> Path:
        return self._directory / f"{step}.sums"

    def _item(self, step: int, name: str, template: dict[str, Any] | None) -> Any:
        import orbax.checkpoint as ocp

        if template is None:
            item: Any = ocp.args.JsonRestore()
        else:
            item = ocp.args.StandardRestore(
                {name: leaves.target(leaf) for name, leaf in template.items()}
            )
        try:
            with _quiet():
                read = self._open().restore(
                    step, args=ocp.args.Composite(**{name: item})
                )
        except PermissionError as error:
            raise UserError(
                f"{self._directory / str(step)} cannot be read: {error.strerror}. "
                "Change its rights."
            ) from None
        except MemoryError:
            raise
        # What a damaged file makes Orbax and TensorStore raise is not documented.
        except Exception as error:
            if "RESOURCE_EXHAUSTED" in str(error):
                raise
            raise leaves.Unreadable(f"its {name} cannot be read") from error
        return read[name]

    def _compare(
        self, step: int, entries: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> None:
        """Refuse a checkpoint of another structure, with every leaf that differs."""
        old = {n: leaves.spell(e["dtype"], e["shape"]) for n, e in entries.items()}
        new = {n: leaves.spell(a.dtype, np.shape(a)) for n, a in wanted.items()}
        bad = [n for n in sorted(old | new) if old.get(n) != new.get(n)]
        if not bad:
            return
        none = "nothing"
        lines = [f"  {n}: {old.get(n, none)} -> {new.get(n, none)}" for n in bad]
        if len(lines) > _MOST_LEAVES:
            rest = len(lines) - _MOST_LEAVES
            lines = [*lines[:_MOST_LEAVES], f"  and {rest} more"]
        raise UserError(
            f"The checkpoint {self._directory / str(step)} is of another network, "
            "optimiser or strategy. These leaves differ (saved -> expected):\n"
            + "\n".join(lines)
            + "\nRun the experiment that it was saved by, or give another --workdir."
        )

    def _set_aside(self) -> None:
        """Move damaged checkpoints out of the way, but keep them for a look."""
        if not self._damaged:
            return
        processes.barrier("checkpoints: before setting aside")
        if processes.is_main():
            for step in self._damaged:
                target = self._directory / f"{_ASIDE}{step}"
                shutil.rmtree(target, ignore_errors=True)
                with contextlib.suppress(FileNotFoundError):
                    (self._directory / str(step)).rename(target)
                self._sums(step).unlink(missing_ok=True)
        self._damaged.clear()
        processes.barrier("checkpoints: set aside")
        self._open().reload()

    def _remove_partial(self, step: int) -> None:
        """Give back the space of a save that failed, and forget that it was tried."""
        with contextlib.suppress(Exception):
            self.close()
        self._manager = None
        if processes.is_main():
            for path in self._directory.glob(f"{step}.orbax-checkpoint-tmp*"):
                shutil.rmtree(path, ignore_errors=True)


def _refusal(directory: Path, step: int, error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    full = any(phrase in text.lower() for phrase in _FULL)
    reason = "the disk is full" if full else text.splitlines()[0]
    remedy = "Free some space" if full else "Check the disk"
    return (
        f"The checkpoint of step {step} could not be saved in {directory}: {reason}. "
        f"Older checkpoints are intact. {remedy}, and run the same command again."
    )


@contextlib.contextmanager
def _storage(directory: Path) -> Iterator[None]:
    """Say what is wrong with a folder that Orbax cannot open."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"{directory} cannot be used for checkpoints: {error}. Check its rights "
            "and the disk."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Orbax from logging tracebacks of errors that are also raised."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)

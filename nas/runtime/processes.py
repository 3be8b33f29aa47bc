"""Several processes as one program: who is who, and how they agree.

Only process 0 writes shared files. What it finds wrong must reach the others, which
would otherwise wait for it in the next collective: `agree` is how it does.
"""

import os
from collections.abc import Mapping

import jax
import numpy as np

from nas.errors import UserError

COORDINATOR = "NAS_COORDINATOR"
NUM_PROCESSES = "NAS_NUM_PROCESSES"
PROCESS_ID = "NAS_PROCESS_ID"
HEARTBEAT_SECONDS = "NAS_HEARTBEAT_SECONDS"

_SCHEDULER = "xla_cpu_enable_concurrency_optimized_scheduler"


def initialize_distributed(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> bool:
    """Join the other processes of this run, if there are any.

    Must be called before the first use of a device. What is not given is read from
    `NAS_COORDINATOR`, `NAS_NUM_PROCESSES` and `NAS_PROCESS_ID`; with none of them set
    this is an ordinary run of one process. When a process dies, the others end after
    `NAS_HEARTBEAT_SECONDS` (100) at the latest; all of them are then started again.

    Args:
      coordinator: `host:port` of process 0, the same on every process.
      num_processes: how many processes there are.
      process_id: which of them this is, from 0.
      environ: read instead of `os.environ`.

    Returns:
      Whether this is a run of several processes.

    Raises:
      UserError: only some of the three are given, one is no whole number or out of
        range, or a device was used before.
    """
    environ = os.environ if environ is None else environ
    given = {
        COORDINATOR: coordinator or environ.get(COORDINATOR),
        NUM_PROCESSES: _first(num_processes, environ.get(NUM_PROCESSES)),
        PROCESS_ID: _first(process_id, environ.get(PROCESS_ID)),
    }
    missing = [name for name, value in given.items() if value in (None, "")]
    if len(missing) == len(given):
        return False
    if missing:
        raise UserError(
            f"A run of several processes needs {', '.join(given)}; missing: "
            f"{', '.join(missing)}. Set all three, or none for a single process."
        )
    total = _whole(NUM_PROCESSES, given[NUM_PROCESSES])
    number = _whole(PROCESS_ID, given[PROCESS_ID])
    if total < 1 or not 0 <= number < total:
        raise UserError(
            f"{PROCESS_ID} is {number} and {NUM_PROCESSES} is {total}; the first must "
            f"be one of 0 .. {NUM_PROCESSES} - 1."
        )
    heartbeat = _whole(HEARTBEAT_SECONDS, environ.get(HEARTBEAT_SECONDS) or 100)
    _order_collectives()
    try:
        jax.distributed.initialize(
            coordinator_address=str(given[COORDINATOR]),
            num_processes=total,
            process_id=number,
            heartbeat_timeout_seconds=heartbeat,
        )
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"Process {number} of {total} could not join {given[COORDINATOR]}: {error} "
            "Check that process 0 runs, that the address and port can be reached, and "
            "that nothing uses a device before this call."
        ) from error
    return True


def _order_collectives() -> None:
    """Have CPUs run collectives in the order of the program.

    Between processes, XLA's CPU backend matches collectives by their order alone. Its
    default scheduler starts independent ones, such as those of two edges of a cell, in
    whatever order they become ready: the processes then abort, now and then.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _SCHEDULER not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --{_SCHEDULER}=false".strip()


def index() -> int:
    """Return which process this is; starts no backend in a run of one process."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def count() -> int:
    """Return how many processes there are; starts no backend when there is one."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def is_main() -> bool:
    """Return whether this process is the one that writes shared files."""
    return index() == 0


def gather(flag: bool) -> list[bool]:
    """Return the flag of every process, in order, on every process.

    A collective: every process has to call it.
    """
    if count() == 1:
        return [bool(flag)]
    from jax.experimental import multihost_utils

    flags = multihost_utils.process_allgather(np.asarray(flag, np.int32))
    return [bool(value) for value in np.ravel(flags)]


def barrier(name: str) -> None:
    """Wait until every process is here; nothing in a run of one process."""
    if count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


def agree(error: Exception | None, what: str) -> None:
    """Raise on every process when one of them met an error.

    A collective: every process has to call it, with its own error or None.

    Args:
      error: what went wrong here, or None.
      what: what was tried, for the message on the other processes.

    Raises:
      Exception: the error given, on the process that gave it.
      UserError: on the other processes.
    """
    failed = [i for i, bad in enumerate(gather(error is not None)) if bad]
    if error is not None:
        raise error
    if failed:
        raise UserError(
            f"{what} failed on process {failed[0]} of {count()}; the message of that "
            "process says why."
        )


def _first(value: int | None, other: str | None) -> int | str | None:
    return other if value is None else value


def _whole(name: str, value: int | str | None) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise UserError(f"{name} is {value!r}; it must be a whole number.") from None

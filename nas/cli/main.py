"""The `nas` command: which stage, and what its end means to who called it.

Exit status: 0 done; 2 what the user gave is wrong; 75 stopped, run the same command
again; 1 anything else.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType

from nas.cli.arguments import HELP, Arguments, parse
from nas.cli.help import first_screen, stage_help
from nas.cli.stages import Stage, stage_by_name
from nas.errors import UserError, nearest

DONE, FAILED, WRONG, STOPPED = 0, 1, 2, 75


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command.

    Args:
      argv: what stands after `nas`; the process's own arguments unless given.

    Returns:
      The exit status.
    """
    tokens = list(sys.argv[1:] if argv is None else argv)
    try:
        with _terminated():
            return _dispatch(tokens)
    except _Terminated:
        return _stopped("Stopped by SIGTERM. Run the same command again to go on.")
    except KeyboardInterrupt:
        return _stopped("Stopped by Ctrl-C. Run the same command again to go on.")
    except BrokenPipeError:
        # Whoever reads has seen enough; nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        return _explain(error)


def _dispatch(tokens: list[str]) -> int:
    if not tokens or tokens[0] in HELP:
        print(first_screen(), end="")
        return DONE
    stages = stage_by_name()
    if tokens[0] not in stages:
        raise UserError(
            f"There is no stage {tokens[0]!r}. {nearest(tokens[0], stages)} "
            "nas --help says what each does."
        )
    stage = stages[tokens[0]]
    arguments = parse(tokens[1:], stage.options, most=stage.most if stage.takes else 0)
    if arguments.help:
        return _help(stage, arguments)
    _check_packages(stage)
    module, _, name = stage.function.partition(":")
    return getattr(importlib.import_module(module), name)(stage, arguments)


def _help(stage: Stage, arguments: Arguments) -> int:
    session = None
    if arguments.names and stage.takes and stage.settings:
        from nas.cli.session import load_session

        session = load_session(arguments, stage.options, True, lambda _: None)
    print(stage_help(stage, session), end="")
    return DONE


def _check_packages(stage: Stage) -> None:
    """Refuse to work with somebody else's package of one of our names."""
    if stage.name == "doctor":
        return
    from nas.runtime.doctor import packages

    for row in packages():
        if not row.ok:
            raise UserError(f"{row.name} is {row.value}. {row.hint}")


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """Also outside of the loops that save when told to stop, end as stopped.

    Everything that is written is written whole or not at all, so there is nothing to
    wait for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class _Terminated(BaseException):
    """SIGTERM came outside of a loop; no handler of errors may swallow it."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _stopped(message: str) -> int:
    print(f"nas: {message}", file=sys.stderr)
    return STOPPED


def _explain(error: Exception) -> int:
    """Say what went wrong, as briefly as it can be put right."""
    from nas.cli.output import complain
    from nas.runtime.signals import Interrupted
    from nas.runtime.workdir import StorageError

    if isinstance(error, Interrupted):
        return _stopped(str(error))
    if isinstance(error, UserError | _space_error()):
        complain(str(error))
        return WRONG
    if isinstance(error, StorageError | _export_error()):
        complain(str(error))
        return FAILED
    traceback.print_exception(error)
    return FAILED


def _space_error() -> type[Exception]:
    from search_spaces import SpaceError

    return SpaceError


def _export_error() -> type[Exception]:
    from nas.export import ExportError

    return ExportError

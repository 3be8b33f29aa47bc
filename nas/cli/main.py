"""The `nas` command: which stage, and what its end means to who called it.

Exit status: 0 done; 2 what the user gave is wrong; 75 stopped, run the same command
again; 1 anything else.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from nas.cli.arguments import HELP, Arguments, parse
from nas.cli.help import first_screen, stage_help
from nas.cli.stages import Stage, stage_by_name
from nas.errors import UserError, nearest
from nas.runtime.signals import Interrupted, StopAtOnce, Terminated

DONE, FAILED, WRONG = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command.

    Args:
      argv: what stands after `nas`; the process's own arguments unless given.

    Returns:
      The exit status.
    """
    tokens = list(sys.argv[1:] if argv is None else argv)
    try:
        with StopAtOnce():
            return _dispatch(tokens)
    except Terminated:
        return _stopped(Interrupted("SIGTERM"))
    except KeyboardInterrupt:
        return _stopped(Interrupted("Ctrl-C"))
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


def _stopped(interrupted: Interrupted) -> int:
    print(f"nas: {interrupted}", file=sys.stderr)
    return interrupted.exit_status


def _explain(error: Exception) -> int:
    """Say what went wrong, as briefly as it can be put right."""
    from nas.cli.output import complain
    from nas.runtime.workdir import StorageError

    if isinstance(error, Interrupted):
        return _stopped(error)
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

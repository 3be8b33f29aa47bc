"""Being told to stop: SIGTERM and Ctrl-C end a run between two steps, not inside one.

Both end with exit status 75 (`EX_TEMPFAIL` of sysexits.h): the work is saved, and the
same command goes on with it. A second Ctrl-C does not wait.

Outside of the loops that save, a signal raises at once. Python prints and drops what is
raised inside a callback of its garbage collector (JAX has one) or a `__del__`; so the
signal is noted as well, and the next loop inside finds the note.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

EXIT_STATUS = 75


class Interrupted(Exception):
    """The run was told to stop, and has saved what it needs to go on."""

    exit_status = EXIT_STATUS

    def __init__(self, signal_name: str, step: int | None = None) -> None:
        """Say what stopped the run, and after which step it was saved."""
        where = "" if step is None else f" after step {step}"
        super().__init__(
            f"Stopped by {signal_name}{where}. Run the same command again to go on."
        )
        self.signal_name = signal_name
        self.step = step


class StopSignals:
    """While entered, turn SIGTERM and the first SIGINT into a flag.

    The flag is up from the start if the block around this one was told to stop already.
    Outside of the main thread Python cannot set handlers; then nothing is caught, and
    the flag stays down.

    Example:
      with StopSignals() as stop:
          for step in range(num_steps):
              state = train_step(state)
              if stop.requested:
                  save(step + 1, state)
                  raise stop.interrupted(step + 1)
    """

    def __init__(self) -> None:
        """Start with nothing requested and nothing caught."""
        self.signal_name: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether this process was told to stop."""
        return self.signal_name is not None

    def agreed(self) -> bool:
        """Whether any process was told to stop; the same answer on all of them.

        A collective when there are several processes: call it at the same step on
        every one. A signal often reaches one process only, and all must stop at the
        same step for the checkpoint to be whole.
        """
        # Here, because the command says what it can do without waiting for JAX.
        from nas.runtime import processes

        return any(processes.gather(self.requested))

    def interrupted(self, step: int | None = None) -> Interrupted:
        """Return the exception that ends the run, for the caller to raise."""
        return Interrupted(self.signal_name or "another process", step)

    def __enter__(self) -> "StopSignals":
        """Set the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._handle)
            around = self._around
            if around is not None and around.requested:
                self.signal_name = around.signal_name
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put back the handlers that were there before, and tell the block around."""
        if self._around is not None and self.requested:
            self._around.signal_name = self.signal_name
        for number, handler in self._previous.items():
            # None stands for a handler that was not set from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()

    @property
    def _around(self) -> "StopSignals | None":
        """The block inside of which this one is, while this one is entered."""
        handler = self._previous.get(signal.SIGTERM)
        block = getattr(handler, "__self__", None)
        return block if isinstance(block, StopSignals) else None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.requested:
            raise KeyboardInterrupt
        self.signal_name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"


class Terminated(BaseException):
    """SIGTERM came outside of a loop; no handler of errors may swallow it."""


class StopAtOnce(StopSignals):
    """While entered, SIGTERM and SIGINT raise wherever they arrive.

    Everything that is written is written whole or not at all, so there is nothing to
    wait for.
    """

    def _handle(self, number: int, frame: FrameType | None) -> None:
        super()._handle(number, frame)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

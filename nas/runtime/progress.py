"""How far a long piece of work has come: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Any, Protocol, SupportsFloat

import rich.console
import rich.progress

from nas.runtime import processes

_BAR_SECONDS = 0.2
_LINE_SECONDS = 10.0


class Progress:
    """Shows steps done, their rate, some numbers, and the time left.

    Values may be device scalars: they are only fetched when they are shown, a few
    times a second at most, so that the bar does not hold up the device. Processes
    other than 0 show nothing.

    Example:
      with Progress("train", total=1000) as bar:
          for step in range(1000):
              bar.update(step + 1, loss=loss)
    """

    def __init__(
        self,
        title: str,
        total: int,
        start: int = 0,
        unit: str = "steps",
        console: rich.console.Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to show a piece of work.

        Args:
          title: what is going on, in a word.
          total: how many steps there are.
          start: how many were done before, by a run that this one goes on with.
          unit: what a step is, in the plural.
          console: where to write; standard error unless given.
          clock: seconds, from any origin.
        """
        console = console or rich.console.Console(stderr=True)
        self._console = console
        self._clock = clock
        self._shown = processes.is_main()
        self._last: tuple[int, dict[str, SupportsFloat]] | None = None
        view = _Bar if console.is_terminal else _Lines
        self._view: _View = view(title, _Meter(total, start, unit, clock), console)
        self._next = 0.0

    def update(self, step: int, **values: SupportsFloat) -> None:
        """Tell how many steps are done, and the latest numbers.

        Args:
          step: steps done, of the total.
          **values: scalars to show beside, such as the loss.
        """
        self._last = (step, values)
        if self._shown and self._clock() >= self._next:
            self._show()

    def print(self, message: str) -> None:
        """Write a line without breaking the bar."""
        if self._shown:
            self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> "Progress":
        """Start to show."""
        if self._shown:
            self._view.start()
            self._next = self._clock() + self._view.seconds
        return self

    def __exit__(self, *error: object) -> None:
        """Show the latest state, and stop."""
        if not self._shown:
            return
        # After an error, fetching a number from the device could raise a second one.
        if self._last is not None and error[0] is None:
            self._show()
        self._view.stop()

    def _show(self) -> None:
        if self._last is None:
            return
        step, values = self._last
        texts = [f"{name} {float(value):.4g}" for name, value in values.items()]
        self._view.show(step, "  ".join(texts))
        self._last = None
        self._next = self._clock() + self._view.seconds


class _View(Protocol):
    seconds: float

    def start(self) -> None: ...

    def show(self, step: int, text: str) -> None: ...

    def stop(self) -> None: ...


class _Meter:
    """Steps a second since the start of this process, and what it means."""

    def __init__(
        self, total: int, start: int, unit: str, clock: Callable[[], float]
    ) -> None:
        self.total, self.start = total, start
        self._unit, self._clock, self._begin = unit, clock, clock()

    def text(self, step: int) -> str:
        seconds, done = self._clock() - self._begin, f"{step}/{self.total} {self._unit}"
        if step <= self.start or seconds <= 0:
            return done
        rate = (step - self.start) / seconds
        left = format_seconds((self.total - step) / rate)
        return f"{done}  {rate:.3g} {self._unit}/s  {left} left"


class _Bar:
    """The bar of a terminal."""

    seconds = _BAR_SECONDS

    def __init__(
        self, title: str, meter: _Meter, console: rich.console.Console
    ) -> None:
        self._meter = meter
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=24),
            rich.progress.TextColumn("{task.fields[text]}"),
            console=console,
        )
        self._task = self._bar.add_task(
            title, total=meter.total, completed=meter.start, text=""
        )

    def start(self) -> None:
        self._bar.start()

    def show(self, step: int, text: str) -> None:
        line = f"{self._meter.text(step)}  {text}"
        self._bar.update(self._task, completed=step, text=line.rstrip())

    def stop(self) -> None:
        self._bar.stop()


class _Lines:
    """Plain lines for log files, each complete in itself."""

    seconds = _LINE_SECONDS

    def __init__(
        self, title: str, meter: _Meter, console: rich.console.Console
    ) -> None:
        self._title, self._meter, self._console = title, meter, console

    def start(self) -> None:
        self._print(f"{self._title}: {self._meter.text(self._meter.start)}")

    def show(self, step: int, text: str) -> None:
        self._print(f"{self._title}: {self._meter.text(step)}  {text}")

    def stop(self) -> None:
        self._console.file.flush()

    def _print(self, line: str) -> None:
        options: dict[str, Any] = {"markup": False, "highlight": False}
        self._console.print(line.rstrip(), soft_wrap=True, **options)


def format_seconds(seconds: float) -> str:
    """Write a duration for people: `42s`, `3m05s`, `2h07m`.

    Args:
      seconds: 0 or more.
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"

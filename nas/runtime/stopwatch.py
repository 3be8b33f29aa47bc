"""Wall seconds of work, without those of what is done beside it."""

import contextlib
import time
from collections.abc import Iterator


class Stopwatch:
    """Counts on from what earlier processes spent.

    Example:
      clock = Stopwatch(metadata["seconds"])
      for step in range(num_steps):
          state = train_step(state)
          with clock.paused():
              save(state, {"seconds": clock.seconds})
    """

    def __init__(self, seconds: float = 0.0) -> None:
        """Start, with what was spent before."""
        self._spent = seconds
        self._since: float | None = time.monotonic()

    @property
    def seconds(self) -> float:
        """What was spent so far."""
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self._spent + running

    @contextlib.contextmanager
    def paused(self, really: bool = True) -> Iterator[None]:
        """Leave out what is done inside.

        Work that a device was given before, and still does, is left out as well: wait
        for it first where that matters.

        Args:
          really: False leaves out nothing.
        """
        if not really or self._since is None:
            yield
            return
        self._spent, self._since = self.seconds, None
        try:
            yield
        finally:
            self._since = time.monotonic()

import pytest

from nas.runtime import stopwatch
from nas.runtime.stopwatch import Stopwatch


@pytest.fixture
def now(monkeypatch):
    """The time, for the test to set."""
    clock = {"now": 100.0}
    monkeypatch.setattr(stopwatch.time, "monotonic", lambda: clock["now"])
    return clock


def test_seconds_of_pauses_are_left_out(now):
    clock = Stopwatch(5.0)
    now["now"] += 2
    with clock.paused():
        now["now"] += 30
        assert clock.seconds == 7.0
        with clock.paused():
            now["now"] += 30
    now["now"] += 1
    with clock.paused(False):
        now["now"] += 1
    assert clock.seconds == 9.0


def test_clock_goes_on_after_an_error(now):
    clock = Stopwatch()
    with pytest.raises(ZeroDivisionError), clock.paused():
        now["now"] += 30
        raise ZeroDivisionError
    now["now"] += 1
    assert clock.seconds == 1.0

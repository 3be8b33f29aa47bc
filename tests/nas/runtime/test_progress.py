"""Progress: rate and time left are right, and device values are rarely fetched."""

import io

import pytest
import rich.console

from nas.runtime.progress import Progress, format_seconds


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Counted:
    """A number that counts how often it is fetched."""

    fetched = 0

    def __float__(self):
        self.fetched += 1
        return 0.12345678


def run(terminal, seconds, steps, start=0, total=100):
    clock, value = Clock(), Counted()
    file = io.StringIO()
    console = rich.console.Console(file=file, force_terminal=terminal, width=200)
    with Progress("train", total, start, console=console, clock=clock) as bar:
        for step in range(start + 1, start + steps + 1):
            clock.now += seconds
            bar.update(step, loss=value)
        bar.print("[a word]")
    return file.getvalue(), value.fetched


def test_plain_lines_hold_rate_numbers_and_time_left():
    text, fetched = run(terminal=False, seconds=1.0, steps=25)
    assert text.splitlines() == [
        "train: 0/100 steps",
        "train: 10/100 steps  1 steps/s  1m30s left  loss 0.1235",
        "train: 20/100 steps  1 steps/s  1m20s left  loss 0.1235",
        "[a word]",
        "train: 25/100 steps  1 steps/s  1m15s left  loss 0.1235",
    ]
    assert fetched == 3


def test_rate_of_a_resumed_run_is_that_of_this_process():
    text, _ = run(terminal=False, seconds=0.5, steps=20, start=60)
    assert "train: 80/100 steps  2 steps/s  10s left" in text


def test_bar_on_a_terminal():
    text, fetched = run(terminal=True, seconds=0.01, steps=100)
    assert "━" in text
    assert "100/100 steps  100 steps/s  0s left  loss 0.1235" in text
    assert "[a word]" in text
    assert fetched <= 6


def test_error_inside_fetches_nothing_more():
    value = Counted()
    console = rich.console.Console(file=io.StringIO())
    with (
        pytest.raises(ZeroDivisionError),
        Progress("train", 10, console=console) as bar,
    ):
        bar.update(1, loss=value)
        raise ZeroDivisionError
    assert value.fetched == 0


def test_other_processes_are_quiet(monkeypatch):
    monkeypatch.setattr("nas.runtime.processes.index", lambda: 1)
    assert run(terminal=False, seconds=60.0, steps=3) == ("", 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (3599, "59m59s"), (7620, "2h07m")],
)
def test_durations(seconds, text):
    assert format_seconds(seconds) == text

"""Being told to stop."""

import gc
import os
import signal
import subprocess
import sys
import threading

import pytest

from nas.runtime.signals import (
    EXIT_STATUS,
    Interrupted,
    StopAtOnce,
    StopSignals,
    Terminated,
)

LOOP = """
import sys, time
from nas.runtime.signals import StopSignals, Interrupted
try:
    with StopSignals() as stop:
        print("ready", flush=True)
        for step in range(2000):
            time.sleep(0.01)
            if stop.requested and not int(sys.argv[1]):
                raise stop.interrupted(step)
except Interrupted as stopped:
    print(stopped)
    sys.exit(stopped.exit_status)
except KeyboardInterrupt:
    print("at once")
    sys.exit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_raises_the_flag_and_handlers_come_back(number):
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert not stop.requested
        assert not stop.agreed()
        os.kill(os.getpid(), number)
        assert stop.requested
        assert stop.agreed()
        assert stop.interrupted(3).step == 3
    assert signal.getsignal(number) is before


def test_second_interrupt_does_not_wait():
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def dropped(monkeypatch):
    """Deliver a signal where Python drops what its handler raises."""
    errors = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)

    def deliver(number: int) -> type[BaseException]:
        def callback(phase, info) -> None:
            if phase == "start":
                signal.raise_signal(number)

        gc.callbacks.append(callback)
        gc.collect()
        gc.callbacks.remove(callback)
        return errors.pop().exc_type

    return deliver


ENDS = [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]


@pytest.mark.parametrize(("number", "error"), ENDS)
def test_outside_of_loops_a_signal_raises_at_once(number, error):
    before = signal.getsignal(number)
    with pytest.raises(error), StopAtOnce():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "error"), ENDS)
def test_what_python_dropped_stops_the_next_loop(dropped, number, error):
    with StopAtOnce():
        with StopSignals() as stop:
            assert not stop.requested
        assert dropped(number) is error
        with StopSignals() as stop:
            assert stop.requested
            name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
            assert stop.interrupted().signal_name == name
    with StopAtOnce(), StopSignals() as stop:
        assert not stop.requested


def test_a_signal_after_the_last_step_stops_the_next_loop():
    with StopAtOnce():
        with StopSignals():
            signal.raise_signal(signal.SIGTERM)
        with StopSignals() as stop:
            assert stop.requested


def test_other_threads_set_no_handlers():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def enter() -> None:
        with StopSignals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


def test_message_says_how_to_go_on():
    message = str(Interrupted("SIGTERM", 7))
    assert "SIGTERM after step 7" in message
    assert "same command again" in message


@pytest.mark.parametrize(
    ("signals", "stubborn", "status", "said"),
    [
        ([signal.SIGTERM], 0, EXIT_STATUS, "Stopped by SIGTERM"),
        ([signal.SIGINT], 0, EXIT_STATUS, "Stopped by Ctrl-C"),
        ([signal.SIGINT, signal.SIGINT], 1, 7, "at once"),
    ],
)
def test_exit_status_of_a_process(signals, stubborn, status, said):
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(stubborn)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    for number in signals:
        process.send_signal(number)
        # Two pending signals of one kind are one signal.
        threading.Event().wait(0.1)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == status
    assert said in output
    assert EXIT_STATUS == 75

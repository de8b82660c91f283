"""SIGINT and SIGTERM: a command releases what it holds and ends, in time even where something hangs."""

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)
SAME_PRESS_S = 0.5
"""A signal so soon after the first one is the same: `uv run` passes on the Ctrl-C that a terminal sends to all processes."""
REACH_S = 0.1
SHOW_CURSOR = b"\x1b[?25h"


@dataclass
class Stop:
    """The first signal that came, if any."""

    number: int = 0
    interrupted: bool = False

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        """The handler of the signals: it raises once, so that nothing interrupts what the command does at its end."""
        self.number = self.number or number
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt(signal.Signals(number))

    @property
    def exit_code(self) -> int:
        """The exit code that shells give to a process that the signal has ended."""
        return 128 + self.number


@contextmanager
def stop_signals(release_s: float) -> Iterator[Stop]:
    """Inside, SIGINT or SIGTERM raises KeyboardInterrupt, once; the process ends ``release_s`` later, or at a second signal.

    Python calls handlers in the main thread only, and not while that is inside a library; so a thread waits for them too.
    """
    stop = Stop()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    handlers = {number: signal.signal(number, stop.interrupt) for number in STOPPING}
    outer = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_end_in_time, args=(reading, stop, release_s), daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(outer)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(writing)
        watcher.join()  # what was sent has been read
        os.close(reading)


def _end_in_time(reading: int, stop: Stop, release_s: float) -> None:
    """Waits for a signal, and then for the time to release, or for a second signal; returns if the pipe is closed before."""
    first = _next_signal(reading, None)
    if not first:
        return
    stop.number = first
    first_s = time.monotonic()
    _next_signal(reading, REACH_S)
    if not stop.interrupted and signal.getsignal(first) == stop.interrupt:
        # The main thread waits in a call that the system has restarted after the signal, as polars' handler of SIGINT wants it
        signal.siginterrupt(first, True)
        signal.pthread_kill(threading.main_thread().ident or 0, first)
    while (waited_s := time.monotonic() - first_s) < release_s:
        number = _next_signal(reading, release_s - waited_s)
        if number == 0:
            return
        if number is not None and time.monotonic() - first_s > SAME_PRESS_S:
            break
    if os.isatty(1):
        os.write(1, SHOW_CURSOR)  # a progress bar may have hidden it
    os._exit(stop.exit_code)


def _next_signal(reading: int, limit_s: float | None) -> int | None:
    """The next of the signals that came; None if none came in time, 0 once the pipe is closed."""
    end_s = time.monotonic() + (limit_s or 0.0)
    while limit_s is None or time.monotonic() < end_s:
        left_s = None if limit_s is None else max(0.0, end_s - time.monotonic())
        if select.select([reading], [], [], left_s)[0]:
            number = int.from_bytes(os.read(reading, 1))
            if number == 0 or number in STOPPING:
                return number
    return None

"""A signal ends a process in time, whatever it does at that moment."""

import signal
import subprocess
import sys
import textwrap

import pytest

LIMIT_S = 60
IN_A_LIBRARY = "[ctypes.CDLL(None).pthread_mutex_lock(mutex) for _ in range(2)]"
"""Locking a mutex twice: unlike most calls of the system, no signal ends it."""
STATES = {
    "waits in Python": "time.sleep(600)",
    "waits in a library that lets no handler run": IN_A_LIBRARY,
    "releases and hangs": f"""
        try:
            time.sleep(600)
        finally:
            {IN_A_LIBRARY}
    """,
    "is in Ray's start, whose handler exits": """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
        time.sleep(600)
    """,
}

BEGIN = """
import ctypes, os, signal, sys, time
from laketag.jobs.stop_signals import stop_signals
mutex = ctypes.create_string_buffer(64)
with stop_signals({release_s}) as stop:
    try:
        print('ready', flush=True)
"""
END = """
    except BaseException:
        pass
os._exit(stop.exit_code)
"""

RELEASING = """
try:
    print('begun', flush=True)
    time.sleep(600)
finally:
    print('releasing', flush=True)
    time.sleep(600)
"""


def start(state: str, release_s: float) -> "subprocess.Popen[str]":
    code = BEGIN.format(release_s=release_s) + textwrap.indent(textwrap.dedent(state).strip(), " " * 8) + END
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("state", STATES)
def test_the_process_ends_with_the_exit_code_of_the_signal(state: str, number: signal.Signals) -> None:
    process = start(STATES[state], release_s=1.0)
    process.send_signal(number)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + number


def test_a_call_that_the_system_restarts_is_interrupted() -> None:
    """Polars' own handler of SIGINT has it restarted, and Python's is called after it."""
    process = start(
        "import polars\nsys.stdout.write('begun\\n'), sys.stdout.flush(), os.read(os.pipe()[0], 1)", 600
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130


def test_a_second_signal_ends_a_process_that_is_still_releasing() -> None:
    process = start(RELEASING, 600)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "releasing\n"
    while process.poll() is None:  # one sent at once counts as the same
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    process.stdout.close()
    assert process.returncode == 130

"""Child processes of a test server: started in their own session, ended by their recorded number."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 60.0


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """The command runs, with its output in the log and its number in ``<log>.pid``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,
        )
    log.with_suffix(".pid").write_text(str(process.pid))
    return process


def stop(process: "subprocess.Popen[bytes]") -> None:
    """The process is gone, killed if it does not go by itself."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)  # a stopped process would not see the next one
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def await_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Something listens on the port, or RuntimeError with the log of the process that should."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}: {log.read_text(errors='replace')[-2000:]}")

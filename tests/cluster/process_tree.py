"""What a process started, by number, from /proc."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path


def below(pid: int) -> list[int]:
    """Numbers of the processes that this one started, and that those started, parents first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, _, rest = stat.read_text().partition(" (")
            parent = int(rest.rpartition(") ")[2].split()[1])
            children.setdefault(parent, []).append(int(number))
    found = list(children.get(pid, []))
    for number in found:  # grows while it is walked
        found += children.get(number, [])
    return found


def title_of(pid: int) -> str:
    """The title that the process shows, such as ray::MapWorker…; empty once it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def kill_all(pids: Iterable[int], patience_s: float = 20.0) -> None:
    """The processes are gone."""
    left = list(pids)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + patience_s
    while (left := [pid for pid in left if title_of(pid)]) and time.monotonic() < end:
        time.sleep(0.05)

"""The processes that a process started, from /proc. A pid that the kernel has reused for another process is recognised."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class Started:
    """A process: its pid, and when it began, in clock ticks since boot."""

    pid: int
    began: int

    @property
    def title(self) -> str:
        """The process title, such as ray::MapWorker…; empty once the process is gone."""
        if not self._state:
            return ""
        with contextlib.suppress(OSError):
            return (
                Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        return ""

    def kill(self) -> None:
        """Send SIGKILL, if the process still runs."""
        self._signal(signal.SIGKILL)

    def pause(self, patience_s: float = 20.0) -> None:
        """The process is stopped until ``go_on``; to other processes it seems slow, not gone."""
        self._signal(signal.SIGSTOP)
        end = time.monotonic() + patience_s
        while self._state not in ("T", "") and time.monotonic() < end:
            time.sleep(0.01)  # the kernel stops its threads one by one

    def go_on(self) -> None:
        """The process runs again."""
        self._signal(signal.SIGCONT)

    @property
    def _state(self) -> str:
        """The state letter that ps shows; empty once the process is gone."""
        status = _read_status(self.pid)
        return status.state if status is not None and status.began == self.began else ""

    def _signal(self, number: signal.Signals) -> None:
        if self.title:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def below(pid: int) -> list[Started]:
    """All descendants of the process, parents before their children."""
    children: dict[int, list[Started]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if (status := _read_status(int(folder.name))) is not None:
            children.setdefault(status.parent, []).append(Started(int(folder.name), status.began))
    found = list(children.get(pid, []))
    for process in found:  # grows while it is walked
        found += children.get(process.pid, [])
    return found


def kill_all(processes: Iterable[Started], patience_s: float = 20.0) -> None:
    """The processes are killed and gone, or the patience has run out."""
    left = list(processes)
    for process in left:
        process.kill()
    end = time.monotonic() + patience_s
    while (left := [process for process in left if process.title]) and time.monotonic() < end:
        time.sleep(0.05)


class _Status(NamedTuple):
    state: str
    parent: int
    began: int


def _read_status(pid: int) -> _Status | None:
    """State, parent and start of a process; None if there is no such process, or if it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else _Status(fields[0], int(fields[1]), int(fields[19]))

"""What a process started, from /proc; a number that was given to another process meanwhile is told from it."""

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
    """A process: its number, and when it began in clock ticks since boot."""

    pid: int
    began: int

    @property
    def title(self) -> str:
        """What it shows as its title, such as ray::MapWorker…; empty once it is gone."""
        if not self._state:
            return ""
        with contextlib.suppress(OSError):
            return (
                Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        return ""

    def kill(self) -> None:
        """It is told to go at once, if it still runs."""
        self._signal(signal.SIGKILL)

    def pause(self, patience_s: float = 20.0) -> None:
        """It has stopped, until ``go_on``; to other processes it seems slow, not gone."""
        self._signal(signal.SIGSTOP)
        end = time.monotonic() + patience_s
        while self._state not in ("T", "") and time.monotonic() < end:
            time.sleep(0.01)  # the kernel stops its threads one by one

    def go_on(self) -> None:
        """It works again."""
        self._signal(signal.SIGCONT)

    @property
    def _state(self) -> str:
        """One letter, as ps shows it; empty once it is gone."""
        status = _read_status(self.pid)
        return status.state if status is not None and status.began == self.began else ""

    def _signal(self, number: signal.Signals) -> None:
        if self.title:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def below(pid: int) -> list[Started]:
    """The processes that this one started, and that those started, parents first."""
    children: dict[int, list[Started]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if (status := _read_status(int(folder.name))) is not None:
            children.setdefault(status.parent, []).append(Started(int(folder.name), status.began))
    found = list(children.get(pid, []))
    for process in found:  # grows while it is walked
        found += children.get(process.pid, [])
    return found


def kill_all(processes: Iterable[Started], patience_s: float = 20.0) -> None:
    """The processes are gone."""
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
    """What the kernel says of a process, or None if there is none; a zombie counts as gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else _Status(fields[0], int(fields[1]), int(fields[19]))

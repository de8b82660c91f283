"""Processes under a memory limit of the kernel, in a cgroup of their own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.command_line import wait_until

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryLimit:
    """A cgroup."""

    group: Path

    @property
    def prefix(self) -> list[str]:
        """The beginning of a command line, which runs the rest of it inside."""
        return ["sh", "-c", f'echo $$ > {self.group / "cgroup.procs"} && exec "$@"', "sh"]

    @property
    def kills(self) -> int:
        """How many processes the kernel has ended because all together were over the limit."""
        counters = "memory.oom_control" if (self.group / "memory.oom_control").exists() else "memory.events"
        lines = (self.group / counters).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def is_empty(self) -> bool:
        """Whether all its processes have ended."""
        return not (self.group / "cgroup.procs").read_text()


@contextmanager
def memory_limit(limit_bytes: int) -> Iterator[MemoryLimit]:
    """A limit for all processes that are started by its prefix; a test is skipped where this user may set none."""
    is_v1 = (V1 / "cgroup.procs").exists()
    group = (V1 if is_v1 else V2) / f"laketag-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if is_v1 else "memory.max")).write_text(str(limit_bytes))
        for swap, most in (("memory.memsw.limit_in_bytes", limit_bytes), ("memory.swap.max", 0)):
            if (group / swap).exists():
                (group / swap).write_text(str(most))
    except OSError as error:
        with suppress(OSError):
            group.rmdir()
        pytest.skip(f"this user may not limit the memory of processes ({error})")
    limit = MemoryLimit(group)
    try:
        yield limit
    finally:
        wait_until(limit.is_empty, "processes under the limit have ended", 60)
        group.rmdir()

"""A lease: at most one process at a time works on a collection with a classifier.

The lease is a file under staging. Its holder rewrites it every ``heartbeat_s``. Another process takes it over after
watching it stay unchanged for ``expires_after_s``, or at once if the holder ran on this machine and is dead.

The lease saves double work; it is not what keeps a run from being published twice, which is the conditional PUT that
commits a run.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from laketag.pipeline.errors import BusyError, LaketagError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.files import read_json, remove_file

POLL_S = 1.0


@dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """How often a holder shows that it is alive, and how long other processes wait for that."""

    heartbeat_s: float = 10.0
    expires_after_s: float = 45.0
    settle_s: float = (
        1.0  # a lease taken over is read again after this: the last of several processes holds it
    )


DEFAULT_TIMES = LeaseTimes()


@dataclass
class Lease:
    """A lease that this process holds. Call ``check()`` before writing anything that readers see."""

    url: str
    writer: str
    lake: Lake
    lost: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """The lease is still held by this process, or BusyError."""
        if self.lost.is_set() or not self._is_ours():
            raise BusyError(
                f"the lease {self.url} was taken over by another process because this one stood still for too long; "
                "nothing was published, the same command goes on from there"
            )

    def beat(self) -> None:
        """The lease file has a new heartbeat; if another process holds it by now, ``lost`` is set instead."""
        if self._is_ours():
            write_bytes(self.url, _content(self.writer), self.lake.storage)
        else:
            self.lost.set()

    def release(self) -> None:
        """The lease file is gone, unless another process holds it."""
        if self._is_ours():
            remove_file(self.url, self.lake.storage)

    def _is_ours(self) -> bool:
        holder = read_json(self.url, self.lake.storage)
        return holder is not None and holder["writer"] == self.writer


@contextmanager
def hold_lease(
    lake: Lake,
    name: str,
    show: Callable[[str], None] = lambda _message: None,
    times: LeaseTimes = DEFAULT_TIMES,
) -> Iterator[Lease]:
    """This process holds the lease of that name, or BusyError if the holder is alive.

    ``show`` gets a sentence if it takes time to find out whether the holder is alive.
    """
    lease = Lease(lake.path("staging", "leases", f"{name}.json"), uuid.uuid4().hex, lake)
    _acquire(lease, show, times)
    stop = threading.Event()
    heart = threading.Thread(
        target=_keep_beating, args=(lease, stop, times.heartbeat_s), name="lease", daemon=True
    )
    heart.start()
    try:
        yield lease
    finally:
        stop.set()
        heart.join()
        lease.release()


def _acquire(lease: Lease, show: Callable[[str], None], times: LeaseTimes) -> None:
    storage = lease.lake.storage
    watched: dict[str, Any] | None = None
    expires_s = 0.0
    while not create_bytes(lease.url, _content(lease.writer), storage):
        holder = read_json(lease.url, storage)
        if holder is None:  # released since
            continue
        if holder["writer"] == lease.writer:
            return
        who = f"process {holder['pid']} on {holder['host']}"
        is_dead = _is_dead(holder)
        if watched is None:
            watched, expires_s = holder, time.monotonic() + times.expires_after_s
            if not is_dead:
                show(
                    f"{who} holds the lease; checking for up to {times.expires_after_s:.0f} s whether it is alive"
                )
        elif holder != watched:
            raise BusyError(
                f"{who} works on the same collection and classifier (lease {lease.url}, heartbeat {holder['beat']}); "
                "wait until it is done, or stop it and run the same command again"
            )
        if is_dead or time.monotonic() > expires_s:
            write_bytes(lease.url, _content(lease.writer), storage)
            time.sleep(times.settle_s)
        else:
            time.sleep(POLL_S)


def _keep_beating(lease: Lease, stop: threading.Event, heartbeat_s: float) -> None:
    while not stop.wait(heartbeat_s):
        try:
            lease.beat()
        except LaketagError:
            continue  # the store cannot be reached; if that lasts, the lease expires and check() reports it


def _content(writer: str) -> bytes:
    holder = {
        "writer": writer,
        "host": platform.node(),
        "namespace": _pid_namespace(),
        "pid": os.getpid(),
        "beat": timestamp(),
    }
    return json.dumps(holder).encode()


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether the holder's process has ended, as far as this process can see it."""
    if not holder["namespace"] or holder["namespace"] != _pid_namespace():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is alive and belongs to another user
        return False
    return False


def _pid_namespace() -> str:
    """Boot and PID namespace, within which a process id is unique; empty where the system does not name them (macOS)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return boot + str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""

"""One process at a time works on a collection with a classifier.

The lease is a file under staging that its holder beats. Whoever finds one that does not beat for LEASE_S, by its own
clock, takes it over; a holder that died on this very machine is known to be dead at once. The lease spares double work;
that nothing is published twice is ensured by the conditional PUT that commits a run.
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

from laketag.pipeline.errors import BusyError, LaketagError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.files import read_json, remove_file

BEAT_S = 10.0
LEASE_S = 45.0
SETTLE_S = 1.0


@dataclass
class Lease:
    """A held lease; ``check()`` before anything that others see."""

    url: str
    writer: str
    lake: Lake
    lost: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """The lease is still ours, or BusyError."""
        holder = read_json(self.url, self.lake.storage)
        if self.lost.is_set() or holder is None or holder["writer"] != self.writer:
            raise BusyError(
                f"the lease {self.url} was taken over by another process because this one stood still for too long; "
                "nothing was published, the same command goes on from there"
            )

    def beat(self) -> None:
        """Others see that the holder lives; a lease that others took is marked as lost, not taken back."""
        holder = read_json(self.url, self.lake.storage)
        if holder is None or holder["writer"] != self.writer:
            self.lost.set()
            return
        write_bytes(self.url, _content(self.writer), self.lake.storage)


@contextmanager
def hold_lease(
    lake: Lake, name: str, waiting: Callable[[str], None] = lambda _message: None
) -> Iterator[Lease]:
    """Hold the lease of that name, or raise BusyError if its holder lives; ``waiting`` is told while that is found out."""
    url = lake.path("staging", "leases", f"{name}.json")
    writer = uuid.uuid4().hex
    _acquire(lake, url, writer, waiting)
    lease = Lease(url, writer, lake)
    stop = threading.Event()
    heart = threading.Thread(target=_keep_beating, args=(lease, stop), name="lease", daemon=True)
    heart.start()
    try:
        yield lease
    finally:
        stop.set()
        heart.join()
        holder = read_json(url, lake.storage)
        if holder is not None and holder["writer"] == writer:
            remove_file(url, lake.storage)


def _acquire(lake: Lake, url: str, writer: str, waiting: Callable[[str], None]) -> None:
    seen: tuple[str, str] | None = None
    seen_since = time.monotonic()
    announced = took_over = False
    while True:
        if create_bytes(url, _content(writer), lake.storage):
            if not took_over:
                return
            time.sleep(SETTLE_S)  # another that took over at the same time may have removed ours
        holder = read_json(url, lake.storage)
        if holder is None:  # released in between
            continue
        if holder["writer"] == writer:
            return
        who = f"process {holder['pid']} on {holder['host']}"
        if _is_dead(holder):
            remove_file(url, lake.storage)
            took_over = True
            continue
        if seen is not None and (holder["writer"], holder["beat"]) != seen:
            raise BusyError(
                f"{who} works on the same collection and classifier (lease {url}, beaten at {holder['beat']}); "
                "wait until it is done, or stop it and run the same command again"
            )
        if seen is None:
            seen, seen_since = (holder["writer"], holder["beat"]), time.monotonic()
        if time.monotonic() - seen_since > LEASE_S:
            remove_file(url, lake.storage)
            took_over = True
            continue
        if not announced:
            waiting(f"{who} holds the lease; watching for up to {LEASE_S:.0f} s whether it still lives")
            announced = True
        time.sleep(1.0)


def _keep_beating(lease: Lease, stop: threading.Event) -> None:
    while not stop.wait(BEAT_S):
        try:
            lease.beat()
        except LaketagError:
            continue  # the store is away; if it stays away, the lease runs out and check() says so


def _content(writer: str) -> bytes:
    holder = {
        "writer": writer,
        "host": platform.node(),
        "namespace": _pid_namespace(),
        "pid": os.getpid(),
        "beat": timestamp(),
    }
    return json.dumps(holder).encode()


def _is_dead(holder: dict[str, object]) -> bool:
    """Whether the holder ran on this machine, among these processes, and runs no longer."""
    if (holder["host"], holder["namespace"]) != (platform.node(), _pid_namespace()) or not _pid_namespace():
        return False
    try:
        os.kill(int(str(holder["pid"])), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _pid_namespace() -> str:
    """Which process numbers are meant: boot and namespace; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + str(
            Path("/proc/self/ns/pid").readlink()
        )
    except OSError:
        return ""

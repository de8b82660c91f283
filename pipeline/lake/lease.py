"""A lease: one process at a time works on a collection with a classifier.

The lease is a file under staging. Its holder rewrites it at every heartbeat. Another process takes it over after watching
it stay unchanged until it expires, or at once if the holder ran on this machine and has ended.

A lease on the whole lake is for rewriting tables: whoever holds it holds every other lease, too, and a process that gets one
of these afterwards waits for it or ends with BusyError.

The lease saves double work: without it, two processes would plan two runs over the same images. What keeps one run from
being published twice is the conditional PUT that commits it.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import BusyError, LaketagError
from laketag.pipeline.lake.lease_holder import has_ended, holder_content
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.files import read_json, remove_file
from laketag.pipeline.store.folders import list_files

WHOLE_LAKE = "lake"
"""The name of the lease on the whole lake; those of runs have a hash at their end."""
REVIEW = "review-"
"""Begins the names of the leases of those who write decisions; each has its own."""


@dataclass(frozen=True)
class LeaseTimes:
    """When a lease is rewritten, and when it may be taken over."""

    heartbeat_s: float = 10.0
    expires_after_s: float = 45.0
    settle_s: float = 1.0  # of several processes that take it over within this time, the last one holds it
    wait_s: float = 0.0  # how long to wait for a holder that is alive
    poll_s: float = 1.0  # between two looks at a holder


DEFAULT_TIMES = LeaseTimes()


@dataclass
class Lease:
    """A lease that this process holds. Call ``check()`` before writing anything that readers see."""

    url: str
    writer: str
    lake: Lake
    lost: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """This process still holds the lease; otherwise BusyError."""
        if self.lost.is_set() or not self.is_ours():
            raise BusyError(
                f"the lease {self.url} was taken over by another process because this one did not renew it in time; "
                "nothing was published; run the same command again to continue"
            )

    def beat(self) -> None:
        """The file has a new heartbeat; if another process has taken it over, ``lost`` is set instead.

        Nothing is lost while the store is away, because no other process can take the lease over then.
        """
        if self.is_ours(self._at_once):
            write_bytes(self.url, holder_content(self.writer), self._at_once)
        else:
            self.lost.set()

    def release(self) -> None:
        """The file is gone, unless another process has taken it over."""
        if self.is_ours(self._at_once):
            remove_file(self.url, self._at_once)

    def is_ours(self, storage: StorageSettings | None = None) -> bool:
        """Whether the file names this process as the holder."""
        holder = read_json(self.url, storage or self.lake.storage)
        return holder is not None and holder["writer"] == self.writer

    @property
    def _at_once(self) -> StorageSettings:
        """Settings with which an error of the store is raised at once, so that nobody waits for the heartbeat's thread."""
        return self.lake.storage.model_copy(update={"max_outage_s": 0.0})


@contextmanager
def hold_lease(
    lake: Lake,
    name: str,
    show: Callable[[str], None] = lambda _message: None,
    times: LeaseTimes = DEFAULT_TIMES,
) -> Iterator[Lease]:
    """This process holds the lease of that name; BusyError if its holder is alive.

    ``show`` is called with a sentence before the holder is watched.
    """
    with _hold(lake, name, show, times) as lease:
        if read_json(_url(lake, WHOLE_LAKE), lake.storage) is not None:
            with _hold(lake, WHOLE_LAKE, show, times):  # BusyError, unless its holder ends
                pass
        yield lease


@contextmanager
def hold_whole_lake(
    lake: Lake,
    show: Callable[[str], None] = lambda _message: None,
    times: LeaseTimes = DEFAULT_TIMES,
) -> Iterator[Lease]:
    """This process holds all leases of the lake; BusyError if one of their holders is alive."""
    with ExitStack() as stack:
        lease = stack.enter_context(_hold(lake, WHOLE_LAKE, show, times))
        for url in list_files(lake.path("staging", "leases"), lake.storage, ".json"):
            name = url.rpartition("/")[2].removesuffix(".json")
            if name != WHOLE_LAKE:
                stack.enter_context(_hold(lake, name, show, times))
        yield lease


def _url(lake: Lake, name: str) -> str:
    return lake.path("staging", "leases", f"{name}.json")


@contextmanager
def _hold(lake: Lake, name: str, show: Callable[[str], None], times: LeaseTimes) -> Iterator[Lease]:
    lease = Lease(_url(lake, name), uuid.uuid4().hex, lake)
    _acquire(lease, show, times)
    try:
        with _heartbeat(lease, times.heartbeat_s):
            yield lease
    finally:
        with suppress(LaketagError):  # the error that came first says more; a lease that is left expires
            lease.release()


@contextmanager
def _heartbeat(lease: Lease, heartbeat_s: float) -> Iterator[None]:
    """The lease is rewritten every ``heartbeat_s`` by a thread, which has ended afterwards."""
    stop = threading.Event()
    heart = threading.Thread(target=_keep_beating, args=(lease, stop, heartbeat_s), name="lease", daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()


def _acquire(lease: Lease, show: Callable[[str], None], times: LeaseTimes) -> None:
    storage = lease.lake.storage
    watched: dict[str, Any] | None = None
    began_s = seen_s = asked_s = time.monotonic()
    waits = False
    while not create_bytes(lease.url, holder_content(lease.writer), storage):
        holder = read_json(lease.url, storage)
        if holder is None:  # released since
            continue
        who = f"process {holder['pid']} on {holder['host']}"
        now_s = time.monotonic()
        if now_s - asked_s > times.heartbeat_s:  # the store was away, for the holder's heartbeat too
            seen_s = now_s
        if watched not in (None, holder):
            if now_s - began_s >= times.wait_s:
                raise BusyError(
                    f"{who} {_what(lease)} (lease {lease.url}, heartbeat {holder['beat']}); "
                    "wait until it is done, or stop it and run the same command again"
                )
            if not waits:
                show(f"{who} is at work; waiting up to {times.wait_s / 60:g} min for its end")
            waits, seen_s = True, now_s
        if has_ended(holder) or now_s - seen_s > times.expires_after_s:
            write_bytes(lease.url, holder_content(lease.writer), storage)
            time.sleep(times.settle_s)
            if lease.is_ours():
                return
        elif watched is None:
            show(
                f"{who} holds the lease; watching for up to {times.expires_after_s:.0f} s whether it is alive"
            )
        watched = holder
        time.sleep(times.poll_s)
        asked_s = time.monotonic()


def _what(lease: Lease) -> str:
    """What its holder does."""
    if lease.url == _url(lease.lake, WHOLE_LAKE):
        return "rewrites tables of this lake"
    if lease.url.rpartition("/")[2].startswith(REVIEW):
        return "reviews images of this lake"
    return "works on the same collection and classifier"


def _keep_beating(lease: Lease, stop: threading.Event, heartbeat_s: float) -> None:
    while not stop.wait(heartbeat_s):
        try:
            lease.beat()
        except LaketagError:
            continue  # the store cannot be reached; if that lasts, the lease expires and check() reports it

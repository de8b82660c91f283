"""Waiting for a store that is away or refuses the credentials: the one place where work on our tables is repeated."""

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.store import cloud_objects, s3_access
from laketag.pipeline.store.errors import find_fault, translate
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.locations import Location, parse_url
from laketag.pipeline.store.schemes import open_filesystem

FIRST_WAIT_S = 0.5
MOST_WAIT_S = 10.0
"""Bounds of the wait between two tries, which doubles; a store that is back is noticed within this time."""
LASTING_S = 10.0
"""How long a fault is waited for that no waiting ends, in case a single server of the store was wrong."""
LOG = logging.getLogger("laketag")

T = TypeVar("T")
_served: set[tuple[str, str]] = set()
"""Stores (scheme and bucket) that have served this process."""


class Outage:
    """The time since a store began to give nothing, and the waits in it."""

    def __init__(self, storage: StorageSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage, self._clock = storage, clock
        self._began_s: float | None = None
        self._bound_s = FIRST_WAIT_S

    def end(self) -> None:
        """The store gives something again; another fault begins another outage."""
        self._began_s, self._bound_s = None, FIRST_WAIT_S

    def next_wait_s(
        self, location: Location, fault: StoreFault, sentence: str, *, has_served: bool = True
    ) -> float | None:
        """How long to wait before the next try ("full jitter"); None if the fault has lasted too long.

        Clients are opened anew for that try unless the store is only away. A store that has never served is given up early:
        the URL or the settings are probably wrong.
        """
        now_s = self._clock()
        limit_s = self._storage.max_outage_s
        may_pass = fault.may_pass or (fault.is_of_credentials and _may_renew(location, self._storage))
        if not (has_served and may_pass):
            limit_s = min(LASTING_S, limit_s)
        if self._began_s is None:
            self._began_s = now_s
            if limit_s > 0:
                LOG.warning("%s; trying again for up to %.0f s", sentence, limit_s)
        left_s = self._began_s + limit_s - now_s
        if left_s <= 0:
            return None
        wait_s = random.uniform(0.1 * self._bound_s, self._bound_s)
        self._bound_s = min(2 * self._bound_s, MOST_WAIT_S)
        if fault.name != "away":
            s3_access.renew_access()
            cloud_objects.renew_clients()
        return min(wait_s, left_s)


def through_outages(url: str, storage: StorageSettings, work: Callable[[], T], *, writes: bool = False) -> T:
    """The work's result; the work can be repeated, and is while the store of the URL is away or refuses the credentials.

    Other errors of the store become a StorageError that names the URL, at once, and so does any error of a store that has
    never served this process, unless the work writes: then the URL or the settings are probably wrong.
    """
    location = parse_url(url)
    store = (location.scheme, location.bucket)
    outage = Outage(storage)
    while True:
        try:
            result = work()
        except LaketagError:
            raise
        except Exception as error:  # the clients' errors have no common root
            translated = translate(url, error)
            if translated is None:
                raise
            fault = find_fault(error)
            is_passing = fault is not None and (fault.is_certain or fault.name == "away")
            if fault is None or not is_passing or not (writes or store in _served):
                raise translated from error
            wait_s = outage.next_wait_s(location, fault, str(translated))
            if wait_s is None:
                raise translated from error
        else:
            _served.add(store)
            return result
        time.sleep(wait_s)


def on_filesystem(
    url: str, storage: StorageSettings, work: Callable[[Any, str], T], *, writes: bool = False
) -> T:
    """As through_outages, of work that gets the filesystem that holds the URL, and the path in it; for a lake's tables."""
    return through_outages(url, storage, lambda: work(*open_filesystem(url, storage)), writes=writes)


def _may_renew(location: Location, storage: StorageSettings) -> bool:
    """Whether other credentials may be found while this process runs."""
    return not (location.scheme == "s3" and s3_access.has_fixed_credentials(storage))

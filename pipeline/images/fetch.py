"""Reading many images at once: every one of them ends as its bytes, or as a reason, within its deadline."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.images.fetch_failures import FetchError, explain
from laketag.pipeline.images.fetch_files import read_file
from laketag.pipeline.images.fetch_objects import OddKeys, read_object
from laketag.pipeline.images.fetch_rows import read_footer, read_rows, row_group_deadline_s, row_groups_of
from laketag.pipeline.images.locations import Location, OutsidePolicyError, locate
from laketag.pipeline.store.schemes import is_remote

FILE_THREADS = 16
"""Local reads at once: beyond that a disk only seeks more."""
TABLE_READS = 4
"""Row groups of embedded images read at once: each holds a few pages of a column in memory."""

T = TypeVar("T")


@dataclass(frozen=True)
class Fetched:
    """One image's bytes, or why there are none; ``attempts`` is how often the store was asked."""

    data: memoryview | bytes | None
    attempts: int
    failure: str | None = None
    detail: str | None = None


def fetch_all(
    uris: Sequence[str], etags: Sequence[str], settings: FetchSettings, storage: StorageSettings
) -> list[Fetched]:
    """What each URI's version holds, in order; never raises for a single image, also where a loop runs already."""
    results: list[list[Fetched]] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(_Fetch(settings, storage).all(uris, etags)))
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            failures.append(error)

    thread = threading.Thread(
        target=run, name="fetch", daemon=True
    )  # a loop of its own, whatever thread calls
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


class _Fetch:
    """One batch: its slots, its threads, and what it has found out."""

    def __init__(self, settings: FetchSettings, storage: StorageSettings) -> None:
        self._settings = settings
        self._storage = storage
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._table_slots = asyncio.Semaphore(min(TABLE_READS, settings.concurrency))
        self._threads = ThreadPoolExecutor(
            min(FILE_THREADS, settings.concurrency), thread_name_prefix="fetch"
        )

    async def all(self, uris: Sequence[str], etags: Sequence[str]) -> list[Fetched]:
        """What each URI's version holds, in order."""
        found: list[Fetched | None] = [None] * len(uris)
        tables: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
        tasks: list[Awaitable[None]] = []
        async with OddKeys(self._storage) as odd_keys:
            for index, (uri, etag) in enumerate(zip(uris, etags, strict=True)):
                try:
                    location = locate(uri, self._settings.allowed_roots)
                except OutsidePolicyError as error:
                    found[index] = Fetched(None, 0, "outside_policy", str(error))
                    continue
                if location.column is None:
                    tasks.append(self._one(found, index, location, etag, odd_keys))
                else:
                    tables[location.file, etag, location.column].append((location.row, index))
            tasks += [self._table(found, *table, rows) for table, rows in tables.items()]
            await asyncio.gather(*tasks)
        self._threads.shutdown(
            wait=False, cancel_futures=True
        )  # a thread that hangs on a disk is left behind
        return [image for image in found if image is not None]

    async def _one(
        self, found: list[Fetched | None], index: int, location: Location, etag: str, odd_keys: OddKeys
    ) -> None:
        settings = self._settings

        async def read() -> memoryview | bytes:
            if is_remote(location.file):
                return await read_object(location.file, etag, settings, self._storage, odd_keys)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._threads, read_file, location.file, etag, settings.max_bytes
            )

        async with self._slots:
            data, attempts, failure = await self._try(read, settings.deadline_s)
        found[index] = Fetched(data, attempts) if failure is None else _failed(failure, attempts)

    async def _table(
        self, found: list[Fetched | None], file: str, etag: str, column: str, rows: list[tuple[int, int]]
    ) -> None:
        """The embedded images of one table: its footer once, then each row group that holds some of them."""
        loop = asyncio.get_running_loop()
        settings = self._settings

        async def footer() -> object:
            return await loop.run_in_executor(self._threads, read_footer, file, etag, settings, self._storage)

        async with self._table_slots:
            metadata, attempts, failure = await self._try(footer, settings.deadline_s)
        if failure is not None:
            for _, index in rows:
                found[index] = _failed(failure, attempts)
            return
        groups, beyond = row_groups_of(metadata, rows)
        for index in beyond:
            found[index] = Fetched(None, attempts, "not_found", "the table has fewer rows")

        async def group(number: int, wanted: list[tuple[int, int]]) -> None:
            offsets = [offset for offset, _ in wanted]
            deadline_s = row_group_deadline_s(metadata, number, column, settings)

            async def read() -> list[bytes | FetchError]:
                return await loop.run_in_executor(
                    self._threads,
                    read_rows,
                    file,
                    etag,
                    column,
                    metadata,
                    number,
                    offsets,
                    deadline_s,
                    settings,
                    self._storage,
                )

            async with self._table_slots:
                images, attempts, failure = await self._try(read, deadline_s)
            for position, (_, index) in enumerate(wanted):
                image = failure or images[position]  # type: ignore[index]  # without a failure there are images
                found[index] = (
                    _failed(image, attempts) if isinstance(image, FetchError) else Fetched(image, attempts)
                )

        await asyncio.gather(*(group(number, wanted) for number, wanted in groups.items()))

    async def _try(
        self, read: Callable[[], Awaitable[T]], deadline_s: float
    ) -> tuple[T | None, int, FetchError | None]:
        """What reading gave within the deadline, after so many tries, or why it gave nothing.

        Waits between tries are drawn evenly from zero to a bound that doubles ("full jitter").
        """
        settings = self._settings
        attempts = 0
        last: FetchError | None = None
        tries = AsyncRetrying(
            stop=stop_after_attempt(settings.attempts),
            wait=wait_random_exponential(multiplier=2 * settings.backoff_s, max=settings.max_backoff_s),
            retry=retry_if_exception(lambda error: isinstance(error, FetchError) and error.transient),
            reraise=True,
        )
        try:
            async with asyncio.timeout(deadline_s):
                async for attempt in tries:
                    with attempt:
                        attempts += 1
                        try:
                            return await read(), attempts, None
                        except LaketagError:
                            raise  # no credentials, no such profile: not this image's fault
                        except Exception as error:  # noqa: BLE001  # explained, counted and raised again
                            last = explain(error)
                            raise last from None
        except FetchError as error:
            return None, attempts, error
        except TimeoutError:
            if last is not None and last.reason == "throttled":  # the store's answer says more than our clock
                return None, attempts, last
            after = f", after: {last.detail}" if last else ""
            return None, attempts, FetchError("timeout", f"not read within {deadline_s:g} s{after}")
        raise AssertionError("unreachable: the last try returns or raises")


def _failed(failure: FetchError, attempts: int) -> Fetched:
    return Fetched(None, attempts, failure.reason, failure.detail)

"""The reads of a batch of images, each by the way that its place needs."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.images.byte_limits import ByteGate, NoRoomError
from laketag.pipeline.images.fetch_files import read_file
from laketag.pipeline.images.fetch_objects import read_object, read_slowly
from laketag.pipeline.images.fetch_results import FetchResults, Image
from laketag.pipeline.images.fetch_rows import (
    ImageColumn,
    WantedRows,
    read_footer,
    read_rows,
    row_group_deadline_s,
    split_by_row_group,
    unpacked_bytes,
)
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_reading import ImageReading
from laketag.pipeline.images.retrying import read_with_retries
from laketag.pipeline.store.background import in_background
from laketag.pipeline.store.locations import WEB, Location
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import has_buckets, has_fast_reads, open_bucket, open_reader
from laketag.pipeline.store.versions import UNKNOWN, Version

if TYPE_CHECKING:
    from aiohttp import ClientSession

FILE_THREADS = 16
"""Local reads at once: with more, a disk only seeks more."""
PROBE_S = 10.0
"""How long a request may take that finds out whether a store gives anything."""
TABLE_READS = 4
"""Row groups of embedded images read at once, if they are small enough for byte_limits.DECODED_BYTES."""

T = TypeVar("T")


class FetchBatch:
    """The reads of one batch, which share slots, threads and memory."""

    def __init__(self, reading: ImageReading) -> None:
        settings = reading.settings
        self.results = FetchResults()
        self._reading = reading
        self._threads = ThreadPoolExecutor(
            min(FILE_THREADS, settings.concurrency), thread_name_prefix="fetch"
        )
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._gate = ByteGate()
        self._table_slots = asyncio.Semaphore(min(TABLE_READS, settings.concurrency))
        self._web = functools.cache(lambda: _open_session(settings))

    async def close(self) -> None:
        """Nothing is held any more, except by a thread that hangs on a disk."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._web.cache_info().currsize:
            await self._web().close()

    async def open_buckets(self, files: Sequence[Location]) -> None:
        """Each bucket's client is open, which may take a request, so that this is no part of an image's deadline."""
        buckets = {(file.scheme, file.bucket): file for file in files if has_buckets(file)}
        opening = [
            self._in_thread(
                functools.partial(open_bucket, file, self._reading.storage, self._reading.requests)
            )
            for file in buckets.values()
        ]
        for error in await asyncio.gather(*opening, return_exceptions=True):
            if isinstance(error, LaketagError):  # other errors come again with each image
                raise error

    async def read_start(self, file: Location) -> object:
        """The first byte of the file; of a page, all of it."""
        settings, storage = self._reading.settings, self._reading.storage
        if file.scheme in WEB:
            alone = ImageReading(settings, storage)
            return await self._read_page(file.url, Version(UNKNOWN), alone)
        requests = Requests(min(settings.deadline_s, PROBE_S), tries=2)

        def read() -> object:
            if file.is_local:
                with open(file.key, "rb", buffering=0) as local:  # noqa: PTH123  # keys are strings
                    return local.read(1)
            return open_reader(file, storage, requests).read(0, 1, time.monotonic() + PROBE_S)

        async with asyncio.timeout(2 * PROBE_S):
            return await asyncio.wrap_future(in_background(read))

    async def read_image(self, location: Location, version: Version, index: int) -> None:
        """The image at the location has a result, unless the batch is full."""
        reading = self._reading

        def read() -> Awaitable[memoryview | bytes]:
            if location.is_local:
                return self._in_thread(lambda: read_file(location.key, version, reading))
            if location.scheme in WEB:
                return self._read_page(location.url, version, reading)
            if has_fast_reads(location):
                return read_object(location, version, reading)
            # a thread of its own: it may hang, and is not waited for
            return asyncio.wrap_future(in_background(lambda: read_slowly(location, version, reading)))

        async with self._slots:
            if reading.budget.is_spent:
                return
            try:
                tried = await read_with_retries(read, reading.settings, reading.settings.deadline_s)
            except NoRoomError:
                return
        self.results.keep(tried.outcome, tried.attempts, [index], location)

    async def read_table(self, column: ImageColumn, indexes: dict[int, list[int]]) -> None:
        """The embedded images in these rows have results; the footer is read once, and each row group with some of them."""
        reading = self._reading
        async with self._table_slots:
            tried = await read_with_retries(
                lambda: self._in_thread(lambda: read_footer(column, reading)),
                reading.settings,
                reading.settings.deadline_s,
            )
        if isinstance(tried.outcome, ImageFailure):
            for row in indexes:
                self.results.keep(tried.outcome, tried.attempts, indexes[row], column.file)
            return
        groups = list(split_by_row_group(tried.outcome, indexes))
        for row in indexes.keys() - {row for group in groups for row in group.rows}:
            self.results.keep(
                ImageFailure("not_found", "the table has fewer rows"), tried.attempts, indexes[row]
            )
        await asyncio.gather(*(self._read_rows(column, group, indexes) for group in groups))

    async def _read_rows(
        self, column: ImageColumn, wanted: WantedRows, indexes: dict[int, list[int]]
    ) -> None:
        reading = self._reading
        async with self._table_slots, self._gate.enter(unpacked_bytes(wanted, column.name)):
            if reading.budget.is_spent:
                return
            tried = await read_with_retries(
                lambda: self._in_thread(lambda: read_rows(column, wanted, reading)),
                reading.settings,
                row_group_deadline_s(wanted, column.name, reading.settings),
            )
        if isinstance(tried.outcome, ImageFailure):
            tried_rows: Mapping[int, Image] = dict.fromkeys(wanted.rows, tried.outcome)
        else:
            tried_rows = tried.outcome
        for row, image in tried_rows.items():
            self.results.keep(image, tried.attempts, indexes[row], column.file)

    async def _read_page(self, url: str, version: Version, reading: ImageReading) -> memoryview | bytes:
        from laketag.pipeline.images.fetch_web import read_page

        return await read_page(self._web(), url, version, reading)

    def _in_thread(self, read: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, read)


def _open_session(settings: FetchSettings) -> "ClientSession":
    """A session, whose library takes a seventh of a second to import, which most lakes do without."""
    from laketag.pipeline.images.fetch_web import open_session

    return open_session(settings)

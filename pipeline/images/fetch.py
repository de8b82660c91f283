"""Reads many images at once; within its deadline each gives its bytes or a failure."""

import asyncio
import functools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.images.byte_limits import ByteBudget, ByteGate, NoRoomError
from laketag.pipeline.images.fetch_files import read_file
from laketag.pipeline.images.fetch_objects import read_object, read_slowly
from laketag.pipeline.images.fetch_rows import (
    ImageColumn,
    WantedRows,
    read_footer,
    read_rows,
    row_group_deadline_s,
    split_by_row_group,
    unpacked_bytes,
)
from laketag.pipeline.images.fetch_web import open_session, read_page
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_locations import locate
from laketag.pipeline.images.retrying import read_with_retries
from laketag.pipeline.store.background import in_background
from laketag.pipeline.store.locations import WEB, Location
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import has_buckets, has_fast_reads, open_bucket
from laketag.pipeline.store.versions import Version

FILE_THREADS = 16
"""Local reads at once: with more, a disk only seeks more."""
TABLE_READS = 4
"""Row groups of embedded images read at once, if they are small enough for byte_limits.DECODED_BYTES."""

T = TypeVar("T")
Image = memoryview | bytes | ImageFailure


@dataclass(frozen=True)
class Fetched:
    """The bytes of one image, or its failure; ``attempts`` counts the tries."""

    data: memoryview | bytes | None
    attempts: int
    failure: ImageFailure | None = None


def fetch_all(
    uris: Sequence[str], etags: Sequence[str], settings: FetchSettings, storage: StorageSettings
) -> list[Fetched | None]:
    """The bytes of each URI's version, in order. The failure of a single image is part of the result, and not raised.

    None for images that were not read because the others are as large as a batch may be (byte_limits.HELD_BYTES); at least
    one image has a result.
    """
    with ThreadPoolExecutor(
        1, thread_name_prefix="fetch"
    ) as thread:  # its own event loop, because the caller may be in a running one
        return thread.submit(asyncio.run, _fetch(uris, etags, settings, storage)).result()


async def _fetch(
    uris: Sequence[str], etags: Sequence[str], settings: FetchSettings, storage: StorageSettings
) -> list[Fetched | None]:
    batch = _Batch(settings, storage)
    try:
        await _read_all(batch, uris, etags, settings)
    finally:
        await batch.close()
    return [batch.found.get(index) for index in range(len(uris))]


async def _read_all(
    batch: "_Batch", uris: Sequence[str], etags: Sequence[str], settings: FetchSettings
) -> None:
    """Every image of the batch that finds room has a result."""
    images: list[tuple[Location, Version, int]] = []
    tables: dict[ImageColumn, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (uri, etag) in enumerate(zip(uris, etags, strict=True)):
        try:
            location = locate(uri, settings.allowed_roots)
        except ImageFailure as failure:
            batch.keep(failure, 0, [index])
            continue
        if location.column is None:
            images.append((location.file, Version(etag), index))
        else:
            column = ImageColumn(location.file, Version(etag), location.column)
            tables[column][location.row].append(index)
    files = [*(image[0] for image in images), *(column.file for column in tables)]
    await batch.open_buckets(files)
    reads = [batch.read_image(*image) for image in images]
    reads += [batch.read_table(column, indexes) for column, indexes in tables.items()]
    await asyncio.gather(*reads)


class _Batch:
    """The reads of one batch, which share slots, threads and memory; ``found`` has the results by the image's index."""

    def __init__(self, settings: FetchSettings, storage: StorageSettings) -> None:
        self.found: dict[int, Fetched] = {}
        self.threads = ThreadPoolExecutor(min(FILE_THREADS, settings.concurrency), thread_name_prefix="fetch")
        self._settings = settings
        self._storage = storage
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._budget = ByteBudget()
        self._gate = ByteGate()
        self._table_slots = asyncio.Semaphore(min(TABLE_READS, settings.concurrency))
        self._web = functools.cache(lambda: open_session(settings))

    async def close(self) -> None:
        """Nothing is held any more, except by a thread that hangs on a disk."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        if self._web.cache_info().currsize:
            await self._web().close()

    async def open_buckets(self, files: Sequence[Location]) -> None:
        """Each bucket's client is open, which may take a request, so that this is no part of an image's deadline."""
        buckets = {(file.scheme, file.bucket): file for file in files if has_buckets(file)}
        requests = Requests(self._settings.deadline_s)
        opening = [
            self._in_thread(functools.partial(open_bucket, file, self._storage, requests))
            for file in buckets.values()
        ]
        for error in await asyncio.gather(*opening, return_exceptions=True):
            if isinstance(error, LaketagError):  # other errors come again with each image
                raise error

    def keep(self, image: Image, attempts: int, indexes: Sequence[int]) -> None:
        """The images with these indexes have this result."""
        for index in indexes:
            if isinstance(image, ImageFailure):
                without_frames = image.with_traceback(None)  # they may hold the image's bytes
                self.found[index] = Fetched(None, attempts, without_frames)
            else:
                self.found[index] = Fetched(image, attempts)

    async def read_image(self, location: Location, version: Version, index: int) -> None:
        """The image at the location has a result, unless the batch is full."""
        settings, storage, budget = self._settings, self._storage, self._budget

        def read() -> Awaitable[memoryview | bytes]:
            if location.is_local:
                return self._in_thread(lambda: read_file(location.key, version, settings.max_bytes, budget))
            if location.scheme in WEB:
                return read_page(self._web(), location.url, version, settings, budget)
            if has_fast_reads(location):
                return read_object(location, version, settings, storage, budget)
            reading = in_background(lambda: read_slowly(location, version, settings, storage, budget))
            return asyncio.wrap_future(reading)  # a thread of its own: it may hang, and is not waited for

        async with self._slots:
            if budget.is_spent:
                return
            try:
                tried = await read_with_retries(read, settings, settings.deadline_s)
            except NoRoomError:
                return
        self.keep(tried.outcome, tried.attempts, [index])

    async def read_table(self, column: ImageColumn, indexes: dict[int, list[int]]) -> None:
        """The embedded images in these rows have results; the footer is read once, and each row group with some of them."""
        settings, storage = self._settings, self._storage
        async with self._table_slots:
            tried = await read_with_retries(
                lambda: self._in_thread(lambda: read_footer(column, settings, storage)),
                settings,
                settings.deadline_s,
            )
        if isinstance(tried.outcome, ImageFailure):
            for row in indexes:
                self.keep(tried.outcome, tried.attempts, indexes[row])
            return
        groups = list(split_by_row_group(tried.outcome, indexes))
        for row in indexes.keys() - {row for group in groups for row in group.rows}:
            self.keep(ImageFailure("not_found", "the table has fewer rows"), tried.attempts, indexes[row])
        await asyncio.gather(*(self._read_rows(column, group, indexes) for group in groups))

    async def _read_rows(
        self, column: ImageColumn, wanted: WantedRows, indexes: dict[int, list[int]]
    ) -> None:
        settings, storage, budget = self._settings, self._storage, self._budget
        where = wanted.footer, wanted.row_group, column.name
        async with self._table_slots, self._gate.enter(unpacked_bytes(*where)):
            if budget.is_spent:
                return
            tried = await read_with_retries(
                lambda: self._in_thread(lambda: read_rows(column, wanted, settings, storage, budget)),
                settings,
                row_group_deadline_s(*where, settings),
            )
        if isinstance(tried.outcome, ImageFailure):
            tried_rows: Mapping[int, Image] = dict.fromkeys(wanted.rows, tried.outcome)
        else:
            tried_rows = tried.outcome
        for row, image in tried_rows.items():
            self.keep(image, tried.attempts, indexes[row])

    def _in_thread(self, read: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self.threads, read)

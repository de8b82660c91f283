"""Reads many images at once; within its deadline each gives its bytes or a failure."""

import asyncio
import functools
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.images.byte_limits import ByteBudget, ByteGate, NoRoomError
from laketag.pipeline.images.doubts import Doubt, find_doubt, is_of_the_image
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
from laketag.pipeline.images.image_locations import ImageLocation, locate
from laketag.pipeline.images.retrying import read_with_retries
from laketag.pipeline.images.witnesses import find_folder, is_known, note_read, store_group
from laketag.pipeline.store.background import in_background
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.locations import WEB, Location
from laketag.pipeline.store.outages import Outage
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import has_buckets, has_fast_reads, open_bucket, open_reader
from laketag.pipeline.store.versions import UNKNOWN, Version

FILE_THREADS = 16
"""Local reads at once: with more, a disk only seeks more."""
PROBE_S = 10.0
"""How long a request may take that finds out whether a store gives anything."""
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
    uris: Sequence[str],
    etags: Sequence[str],
    settings: FetchSettings,
    storage: StorageSettings,
) -> list[Fetched | None]:
    """The bytes of each URI's version, in order. The failure of a single image is part of the result, and not raised.

    None for images that were not read because the others are as large as a batch may be (byte_limits.HELD_BYTES); at least
    one image has a result.

    An image fails only while its witnesses can be read (laketag.pipeline.images.witnesses). While none can, the store is at
    fault: it is waited for, and a StorageError is raised after storage.max_outage_s.
    """
    with ThreadPoolExecutor(
        1, thread_name_prefix="fetch"
    ) as thread:  # its own event loop, because the caller may be in a running one
        return thread.submit(asyncio.run, _fetch(uris, etags, settings, storage)).result()


async def _fetch(
    uris: Sequence[str], etags: Sequence[str], settings: FetchSettings, storage: StorageSettings
) -> list[Fetched | None]:
    batch = _Batch(settings, storage)
    located: dict[int, tuple[ImageLocation, Version]] = {}
    for index, (uri, etag) in enumerate(zip(uris, etags, strict=True)):
        try:
            located[index] = (
                locate(uri, settings.allowed_roots, settings.local_images is not False),
                Version(etag),
            )
        except ImageFailure as failure:
            batch.keep(failure, 0, [index])
    try:
        await _read_through_outages(batch, located, Outage(storage))
    finally:
        await batch.close()
    return [batch.found.get(index) for index in range(len(uris))]


async def _read_through_outages(
    batch: "_Batch", located: dict[int, tuple[ImageLocation, Version]], outage: Outage
) -> None:
    """Every image of the batch that finds room has a result, or a StorageError names the fault of the store."""
    while located:
        await _read_all(batch, located)
        doubts = await batch.take_doubts()
        if len(doubts) < len(located):
            outage.end()
        first = next((doubt for doubt in doubts.values() if doubt is not None), None)
        if first is not None:
            has_served = is_known(first.file.scheme)
            wait_s = outage.next_wait_s(first.file, first.fault, first.sentence, has_served=has_served)
            if wait_s is None:
                raise first.error(len(doubts))
            await asyncio.sleep(wait_s)
        located = {index: located[index] for index in doubts}


async def _read_all(batch: "_Batch", located: dict[int, tuple[ImageLocation, Version]]) -> None:
    """Every image that finds room has a result, or a doubt whether it is the image that failed."""
    images: list[tuple[Location, Version, int]] = []
    tables: dict[ImageColumn, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (location, version) in located.items():
        if location.column is None:
            images.append((location.file, version, index))
        else:
            column = ImageColumn(location.file, version, location.column)
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
        self._doubts: dict[int, Doubt] = {}
        self._served: set[tuple[str, str]] = set()  # in this round
        self._read_again: set[int] = set()
        self._attempts = Counter[int]()
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

    def keep(self, image: Image, attempts: int, indexes: Sequence[int], file: Location | None = None) -> None:
        """The images with these indexes, in the file, have this result, unless that may be a fault of the store."""
        if isinstance(image, ImageFailure):
            image = image.with_traceback(None)  # its frames may hold the image's bytes
        elif file is not None:
            note_read(file)
            self._served.add(store_group(file))
        for index in indexes:
            self._attempts[index] += attempts
            if not isinstance(image, ImageFailure):
                self.found[index] = Fetched(image, self._attempts[index])
            elif file is not None and (doubt := find_doubt(image, file)):
                self._doubts[index] = doubt
            else:
                self.found[index] = Fetched(None, self._attempts[index], image)

    async def take_doubts(self) -> dict[int, Doubt | None]:
        """The images to read again, with the fault of the store; None where it answers again and may have been away.

        Those that failed while others are read have their failure.
        """
        doubts, served = self._doubts, self._served
        self._doubts, self._served = {}, set()
        judged: dict[tuple[object, StoreFault], bool] = {}
        again: dict[int, Doubt | None] = {}
        for index, doubt in doubts.items():
            store = store_group(doubt.file)
            key = find_folder(doubt.file) if doubt.file.is_local else store, doubt.fault
            if key not in judged:
                judged[key] = await is_of_the_image(doubt, self._read_start)
            if not judged[key]:
                again[index] = doubt
            elif doubt.may_have_passed(is_served=store in served) and index not in self._read_again:
                self._read_again.add(index)
                again[index] = None
            else:
                self.found[index] = Fetched(None, self._attempts[index], doubt.failure)
        return again

    async def _read_start(self, file: Location) -> object:
        """The first byte of the file; of a page, all of it."""
        settings, storage = self._settings, self._storage
        if file.scheme in WEB:
            return await read_page(self._web(), file.url, Version(UNKNOWN), settings, ByteBudget())
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
        self.keep(tried.outcome, tried.attempts, [index], location)

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
                self.keep(tried.outcome, tried.attempts, indexes[row], column.file)
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
            self.keep(image, tried.attempts, indexes[row], column.file)

    def _in_thread(self, read: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self.threads, read)

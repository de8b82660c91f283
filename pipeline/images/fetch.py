"""Reads many images at once; within its deadline each gives its bytes or a failure."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.fetch_batch import FetchBatch
from laketag.pipeline.images.fetch_results import Fetched
from laketag.pipeline.images.fetch_rows import ImageColumn
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_locations import ImageLocation, locate
from laketag.pipeline.images.image_reading import ImageReading
from laketag.pipeline.images.witnesses import is_known
from laketag.pipeline.store.locations import Location
from laketag.pipeline.store.outages import Outage
from laketag.pipeline.store.versions import Version

Located = dict[int, tuple[ImageLocation, Version]]
"""Where images are, and which version of each is wanted, by their numbers in the batch."""


def fetch_all(
    uris: Sequence[str], etags: Sequence[str], settings: FetchSettings, storage: StorageSettings
) -> list[Fetched | None]:
    """The bytes of each URI's version, in order. The failure of a single image is part of the result, and not raised.

    None for images that were not read because the others are as large as a batch may be (byte_limits.HELD_BYTES); at least
    one image has a result.

    An image fails only while its witnesses can be read (laketag.pipeline.images.witnesses). While none can, the store is at
    fault: it is waited for, and a StorageError is raised after storage.max_outage_s.
    """
    # a thread with an event loop of its own, because the caller may be in a running one
    with ThreadPoolExecutor(1, thread_name_prefix="fetch") as thread:
        return thread.submit(asyncio.run, _fetch(uris, etags, ImageReading(settings, storage))).result()


async def _fetch(uris: Sequence[str], etags: Sequence[str], reading: ImageReading) -> list[Fetched | None]:
    batch, settings = FetchBatch(reading), reading.settings
    located: Located = {}
    for index, (uri, etag) in enumerate(zip(uris, etags, strict=True)):
        try:
            location = locate(uri, settings.allowed_roots, settings.local_images is not False)
        except ImageFailure as failure:
            batch.results.keep(failure, 0, [index])
        else:
            located[index] = location, Version(etag)
    try:
        await _read_through_outages(batch, located, Outage(reading.storage))
    finally:
        await batch.close()
    return [batch.results.found.get(index) for index in range(len(uris))]


async def _read_through_outages(batch: FetchBatch, located: Located, outage: Outage) -> None:
    """Every image of the batch that finds room has a result, or a StorageError names the fault of the store."""
    while located:
        await _read_all(batch, located)
        doubts = await batch.results.take_doubts(batch.read_start)
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


async def _read_all(batch: FetchBatch, located: Located) -> None:
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

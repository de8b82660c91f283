"""Reading one image from a store."""

import time

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.images.fetch_files import check_size
from laketag.pipeline.images.image_failure import ImageFailure, PassingFailure
from laketag.pipeline.images.image_reading import ImageReading
from laketag.pipeline.store.locations import Location
from laketag.pipeline.store.schemes import open_bucket, open_reader
from laketag.pipeline.store.versions import Version, version_of_etag


async def read_object(location: Location, version: Version, reading: ImageReading) -> memoryview:
    """The bytes of the object's indexed version; an ImageFailure if they are none or too many."""
    client = open_bucket(location, reading.storage, reading.requests)
    answer = await client.get_async(location.key)
    version.check(version_of_etag(answer.meta["e_tag"]))
    size_bytes = answer.meta["size"]
    check_size(size_bytes, reading.settings.max_bytes)  # known before the body, which is then never read
    with reading.budget.hold(size_bytes):
        return _checked_length(memoryview(await answer.bytes_async()), size_bytes)


def read_slowly(location: Location, version: Version, reading: ImageReading) -> memoryview:
    """As read_object, for files that no fast client can name; blocks its thread.

    On S3 the thread is free after twice the deadline at the latest, when nobody waits for the result any more: each wait
    for the store is limited to the deadline, and after the deadline no other wait begins.
    """
    ends_at_s = time.monotonic() + reading.settings.deadline_s
    try:
        reader = open_reader(location, reading.storage, reading.requests)
    except SettingsError as error:  # a URI that no filesystem takes
        raise ImageFailure("outside_policy", str(error)) from None
    found = reader.find()
    version.check(found.version)
    check_size(found.size_bytes, reading.settings.max_bytes)
    with reading.budget.hold(found.size_bytes):
        part = reader.read(0, found.size_bytes, ends_at_s)
        version.check(part.version)
        return _checked_length(memoryview(part.data), found.size_bytes)


def _checked_length(data: memoryview, size_bytes: int) -> memoryview:
    if len(data) != size_bytes:
        raise PassingFailure("store_error", f"{len(data)} of {size_bytes} bytes arrived")
    return data

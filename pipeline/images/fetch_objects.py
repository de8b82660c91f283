"""Reading one image from an object store."""

import time

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.fetch_files import check_size
from laketag.pipeline.images.image_failure import PassingFailure
from laketag.pipeline.store.locations import Location
from laketag.pipeline.store.s3_access import resolve_access
from laketag.pipeline.store.s3_clients import Requests, open_botocore
from laketag.pipeline.store.schemes import open_bucket
from laketag.pipeline.store.versions import Version, version_of_etag

CHUNK_BYTES = 1 << 20
"""At most so much of a body is read between two looks at the clock."""


async def read_object(
    location: Location, version: Version, settings: FetchSettings, storage: StorageSettings
) -> memoryview:
    """The bytes of the object's indexed version; an ImageFailure if they are none or too many."""
    client = open_bucket(location, storage, Requests(settings.deadline_s))
    answer = await client.get_async(location.key, options=version.get_options)
    version.check(version_of_etag(answer.meta["e_tag"]))  # for stores that ignore If-Match
    size_bytes = answer.meta["size"]
    check_size(size_bytes, settings.max_bytes)  # known before the body, which is then never read
    data = memoryview(await answer.bytes_async())
    if len(data) != size_bytes:
        raise PassingFailure("store_error", f"{len(data)} of {size_bytes} bytes arrived")
    return data


def read_odd_object(
    location: Location, version: Version, settings: FetchSettings, storage: StorageSettings
) -> memoryview:
    """As read_object, for keys such as ``a//b`` that the fast client cannot name; blocks its thread.

    The thread is free after twice the deadline at the latest, when nobody waits for the result any more: each wait for the
    store is limited to the deadline, and after the deadline no other wait begins.
    """
    ends_at = time.monotonic() + settings.deadline_s
    client = open_botocore(resolve_access(storage), Requests(settings.deadline_s))
    condition = {"IfMatch": version.if_match} if version.if_match else {}
    answer = client.get_object(Bucket=location.bucket, Key=location.key, **condition)
    with answer["Body"] as body:
        version.check(version_of_etag(answer.get("ETag")))
        size_bytes = answer["ContentLength"]
        check_size(size_bytes, settings.max_bytes)
        data = bytearray()
        while len(data) < size_bytes:
            if time.monotonic() > ends_at:
                raise PassingFailure("timeout", f"{len(data)} of {size_bytes} bytes arrived in time")
            chunk = body.read1(CHUNK_BYTES)  # what has arrived; read would wait for all of it
            if not chunk:
                raise PassingFailure("store_error", f"{len(data)} of {size_bytes} bytes arrived")
            data += chunk
    return memoryview(data)

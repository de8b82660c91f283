"""Images put into a store and read again, for tests."""

import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.images.fetch import fetch_all
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.looks import find_version
from laketag.pipeline.store.schemes import SCHEMES
from tests.stores.store import Store

FAST = FetchSettings(attempts=3, backoff_s=0.01, max_backoff_s=0.05, deadline_s=10.0)


@dataclass(frozen=True)
class Read:
    """What one image gave."""

    data: bytes | None
    reason: str | None
    detail: str
    attempts: int


def read(store: Store, *rows: tuple[str, str], settings: FetchSettings = FAST) -> list[Read]:
    """What (uri, etag) pairs give; the root of a store that needs to be allowed is."""
    if not settings.allowed_roots and parse_url(store.root).scheme not in SCHEMES:
        settings = settings.model_copy(update={"allowed_roots": (store.root,)})
    uris, etags = [uri for uri, _ in rows], [etag for _, etag in rows]
    return [
        Read(
            None if image.data is None else bytes(image.data),
            image.failure.reason if image.failure else None,
            image.failure.detail if image.failure else "",
            image.attempts,
        )
        for image in fetch_all(uris, etags, settings, store.storage)
    ]


def read_one(store: Store, uri: str, etag: str = "unknown", settings: FetchSettings = FAST) -> Read:
    return read(store, (uri, etag), settings=settings)[0]


def put(store: Store, key: str, data: bytes = b"picture") -> tuple[str, str]:
    """The URI and etag of an object with this content."""
    url = store.put(key, data)
    return url, find_version(parse_url(url), store.storage).etag


def read_beside(store: Store, uri: str, etag: str = "unknown", settings: FetchSettings = FAST) -> Read:
    """What the image gives while another one is read: what fails then, fails for itself."""
    other, image = read(store, put(store, "another-image"), (uri, etag), settings=settings)
    assert other.reason is None
    return image


def put_table(
    store: Store, key: str = "table.parquet", rows: int = 50, row_group_size: int = 20
) -> tuple[str, str]:
    """The URI and etag of a table of images, of which row 7 is empty and row 8 null."""
    images: list[bytes | None] = [f"image {n} ".encode() * 50 for n in range(rows)]
    images[7:9] = [b"", None]
    structs = [{"bytes": image, "path": f"{n}.jpg"} for n, image in enumerate(images)]
    sink = io.BytesIO()
    table = pa.table({"image": structs, "jpeg": images, "text": ["t"] * rows})
    pq.write_table(table, sink, row_group_size=row_group_size)
    return put(store, key, sink.getvalue())


def with_settings(**changes: object) -> FetchSettings:
    return FAST.model_copy(update=changes)

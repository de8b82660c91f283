"""Stage: plan rows in, the same rows with their encoded bytes or a failure out."""

from collections.abc import Iterator

import pyarrow as pa

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.fetch import fetch_all

PART_BYTES = 128 * 2**20
"""The most bytes of encoded images in one part, by the sizes in the index."""
GUESSED_BYTES = 2**20
"""The assumed size of an image whose size is not in the index."""


def fetch_in_parts(batch: pa.Table, *, fetch: FetchSettings, storage: StorageSettings) -> Iterator[pa.Table]:
    """As fetch_images, in parts one after the other, so that memory is bounded by bytes and not by the number of images."""
    start = held = 0
    for row, size in enumerate(batch["size_bytes"].to_pylist()):
        expected = GUESSED_BYTES if size is None else min(size, fetch.max_bytes)
        if row > start and held + expected > PART_BYTES:
            yield fetch_images(batch.slice(start, row - start), fetch=fetch, storage=storage)
            start, held = row, 0
        held += expected
    yield fetch_images(batch.slice(start), fetch=fetch, storage=storage)


def fetch_images(batch: pa.Table, *, fetch: FetchSettings, storage: StorageSettings) -> pa.Table:
    """Each row has ``data`` or a failure, how many ``attempts`` the store took, and no ``size_bytes`` any more."""
    images = fetch_all(batch["uri"].to_pylist(), batch["etag"].to_pylist(), fetch, storage)
    columns = {
        "data": pa.array([image.data for image in images], pa.large_binary()),
        "failure": pa.array([image.failure and image.failure.reason for image in images], pa.string()),
        "failure_detail": pa.array([image.failure and image.failure.detail for image in images], pa.string()),
        "attempts": pa.array([image.attempts for image in images], pa.int32()),
        "fetched_bytes": pa.array([len(image.data or b"") for image in images], pa.int64()),
    }
    table = batch.drop_columns([name for name in ("size_bytes", *columns) if name in batch.column_names])
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table

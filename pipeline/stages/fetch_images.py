"""Stage: plan rows in, the same rows with their encoded bytes or a failure out."""

import pyarrow as pa

from pipeline.config import FetchSettings, StorageSettings
from pipeline.storage.fetch import fetch_all


def fetch_images(batch: pa.Table, *, fetch: FetchSettings, storage: StorageSettings) -> pa.Table:
    """Each row has ``data``, or ``failure`` and ``failure_detail``, and how many ``attempts`` the store took."""
    images = fetch_all(batch["uri"].to_pylist(), batch["etag"].to_pylist(), fetch, storage)
    columns = {
        "data": pa.array([image.data for image in images], pa.large_binary()),
        "failure": pa.array([image.failure for image in images], pa.string()),
        "failure_detail": pa.array([image.detail for image in images], pa.string()),
        "attempts": pa.array([image.attempts for image in images], pa.int32()),
        "fetched_bytes": pa.array([len(image.data or b"") for image in images], pa.int64()),
    }
    table = batch.drop_columns([name for name in ("size_bytes", *columns) if name in batch.column_names])
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table

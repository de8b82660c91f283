"""Fetches all rows of a table's column ``jpg`` and prints by how many bytes the process has grown: TABLE ROWS MAX_BYTES."""

import sys

import pyarrow as pa

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.image_locations import embedded_uri
from laketag.pipeline.stages.fetch_images import fetch_images
from tests.peak_resident import peak_resident_bytes

table, rows, max_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
batch = pa.table(
    {
        "uri": [embedded_uri(table, "jpg", row) for row in range(rows)],
        "etag": ["unknown"] * rows,
        "size_bytes": pa.nulls(rows, pa.int64()),
    }
)
before_bytes = peak_resident_bytes()
fetched = fetch_images(batch, fetch=FetchSettings(max_bytes=max_bytes), storage=StorageSettings())
grown_bytes = peak_resident_bytes() - before_bytes
print(grown_bytes, *fetched["failure"].to_pylist())

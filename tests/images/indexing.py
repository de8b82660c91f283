"""Parquet indexes put into a store, and the index rows that they give, for tests."""

import io
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.images.findings import Findings
from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.index_uris import ImageAccess
from laketag.pipeline.images.table_index import read_table_index
from laketag.schemas import ImageIndex
from tests.images.reading import read
from tests.stores.store import Store


def put_parquet(store: Store, key: str, columns: dict[str, Any], **options: Any) -> str:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return store.put(key, sink.getvalue())


def read_index(
    store: Store, source: str, findings: Findings | None = None, roots: tuple[str, ...] = (), **columns: str
) -> pl.DataFrame:
    """The rows of the index of a table."""
    access = ImageAccess(store.storage, roots)
    frames = read_table_index(source, IndexColumns(**columns), access, findings or Findings())
    return ImageIndex.validate(pl.concat(list(frames)))


def fetched(store: Store, index: pl.DataFrame) -> list[bytes | str | None]:
    """What each row of the index gives: its bytes, or the reason why not."""
    return [image.data or image.reason for image in read(store, *index.select("uri", "etag").rows())]

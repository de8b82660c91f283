"""Parquet indexes put into a store, and the index rows that they give, for tests."""

import io
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.parquet_index import read_parquet_index
from laketag.schemas import ImageIndex
from tests.images.reading import read
from tests.stores.store import Store


def put_parquet(store: Store, key: str, columns: dict[str, Any], **options: Any) -> str:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return store.put(key, sink.getvalue())


def read_index(store: Store, source: str, **columns: str) -> pl.DataFrame:
    return ImageIndex.validate(
        pl.concat(list(read_parquet_index(source, IndexColumns(**columns), store.storage)))
    )


def fetched(store: Store, index: pl.DataFrame) -> list[bytes | str | None]:
    """What each row of the index gives: its bytes, or the reason why not."""
    return [image.data or image.reason for image in read(store, *index.select("uri", "etag").rows())]

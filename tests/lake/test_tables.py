"""A table is read back as it was written, under its contract, and its footer says what its columns mean."""

import polars as pl
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.tables import create_table, read_table, scan_table, write_table
from laketag.pipeline.store.schemes import open_filesystem
from laketag.schemas import ImageIndex
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store


def rows(*ids: str) -> pl.DataFrame:
    return pl.DataFrame(
        [{"image_id": i, "uri": f"/{i}", "etag": "1", "size_bytes": 1, "true_class": "c"} for i in ids],
        schema=ImageIndex.create_empty().schema,
    )


def test_a_table_is_read_back_as_it_was_written(store: Store) -> None:
    url = store.url("deep/er/table.parquet")
    write_table(rows("a", "b"), url, ImageIndex, store.storage)
    assert read_table(url, ImageIndex, store.storage).equals(rows("a", "b"))


def test_writing_again_replaces_and_leaves_nothing_beside(store: Store) -> None:
    url = store.url("t/table.parquet")
    write_table(rows("a"), url, ImageIndex, store.storage)
    write_table(rows("b"), url, ImageIndex, store.storage)
    assert read_table(url, ImageIndex, store.storage)["image_id"].to_list() == ["b"]
    filesystem, path = open_filesystem(store.url("t"), store.storage)
    assert len(filesystem.find(path)) == 1


def test_the_footer_says_what_columns_mean(store: Store) -> None:
    url = store.url("table.parquet")
    write_table(rows("a"), url, ImageIndex, store.storage, {"extra": "x"})
    filesystem, path = open_filesystem(url, store.storage)
    with filesystem.open(path) as file:
        parquet = pq.ParquetFile(file)
        fields, footer = parquet.schema_arrow, parquet.metadata.metadata
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
    for name, column in ImageIndex.columns().items():
        assert fields.field(name).metadata[b"description"].decode() == column.description
    assert footer[b"laketag.schema"] == b"ImageIndex"
    assert footer[b"laketag.extra"] == b"x"


def test_several_files_are_scanned_lazily_beside_what_is_no_table(store: Store) -> None:
    urls = [store.url(f"t/{name}.parquet") for name in "ab"]
    for url, name in zip(urls, "ab", strict=True):
        write_table(rows(name), url, ImageIndex, store.storage)
    store.put("t/notes.txt", b"no table")
    frame = scan_table(urls, ImageIndex, store.storage).filter(pl.col("image_id") == "b")
    assert frame.collect()["uri"].to_list() == ["/b"]


def test_another_table_is_refused_by_its_footer(store: Store) -> None:
    url = store.put("other.parquet", parquet(pl.DataFrame({"x": [1]})))
    with pytest.raises(InputError, match=r"other\.parquet: is no table of ImageIndex, it lacks image_id"):
        scan_table([url], ImageIndex, store.storage)


def test_rows_that_break_the_contract_are_refused(store: Store) -> None:
    url = store.put("twice.parquet", parquet(rows("a", "a")))
    with pytest.raises(InputError, match=r"twice\.parquet.*primary_key"):
        read_table(url, ImageIndex, store.storage)


def parquet(frame: pl.DataFrame) -> bytes:
    import io

    sink = io.BytesIO()
    frame.write_parquet(sink)
    return sink.getvalue()


def test_only_the_first_creates(store: Store) -> None:
    url = store.url("t/table.parquet")
    assert create_table(rows("a"), url, ImageIndex, store.storage)
    assert not create_table(rows("b"), url, ImageIndex, store.storage)
    assert create_table(rows("a"), url, ImageIndex, store.storage), "what lies there is what we would write"
    assert read_table(url, ImageIndex, store.storage)["image_id"].to_list() == ["a"]


def test_a_busy_store_is_tried_again(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", path="t.parquet", method="PUT", times=2))
    behind = bucket.through(faults.url)
    assert create_table(rows("a"), behind.url("t.parquet"), ImageIndex, behind.storage)

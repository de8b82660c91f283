"""A table is read back as it was written, under its contract, and its footer explains its columns."""

import io

import dataframely as dy
import polars as pl
import pyarrow.parquet as pq
import pytest
from dataframely.exc import ValidationError

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.tables import (
    create_table,
    encode_table,
    read_footer,
    read_table,
    scan_table,
    write_table,
)
from laketag.schemas import ImageIndex
from tests.lake.label_rows import index_rows
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store


def parquet(frame: pl.DataFrame) -> bytes:
    """A Parquet file that laketag did not write."""
    sink = io.BytesIO()
    frame.write_parquet(sink)
    return sink.getvalue()


def test_a_table_is_read_back_as_it_was_written_last(store: Store) -> None:
    url = store.url("deep/er/table.parquet")
    for ids in ("c", "ab"):
        write_table(index_rows(ids), url, ImageIndex, store.storage, {"extra": "x"})
    assert read_table(url, ImageIndex, store.storage).equals(index_rows("ab"))
    assert read_footer(url, store.storage) == {
        "schema": "ImageIndex",
        "description": ImageIndex.__doc__,
        "extra": "x",
    }


def test_the_footer_explains_every_column() -> None:
    file = pq.ParquetFile(io.BytesIO(encode_table(index_rows("a"), ImageIndex)))
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    for name, column in ImageIndex.columns().items():
        assert file.schema_arrow.field(name).metadata[b"description"].decode() == column.description


def test_only_the_first_creates(store: Store) -> None:
    url = store.url("t/table.parquet")
    assert create_table(index_rows("a"), url, ImageIndex, store.storage)
    assert not create_table(index_rows("b"), url, ImageIndex, store.storage)
    assert create_table(index_rows("a"), url, ImageIndex, store.storage), "the file has these very rows"
    assert read_table(url, ImageIndex, store.storage).equals(index_rows("a"))


def test_several_files_are_scanned_lazily_beside_what_is_no_table(store: Store) -> None:
    urls = [store.url(f"t/{name}.parquet") for name in "ab"]
    for url, name in zip(urls, "ab", strict=True):
        write_table(index_rows(name), url, ImageIndex, store.storage)
    store.put("t/notes.txt", b"no table")
    frame = scan_table(urls, ImageIndex, store.storage).filter(pl.col("image_id") == "b")
    assert frame.collect()["uri"].to_list() == ["/images/b.png"]


def test_another_table_is_refused_by_its_columns(store: Store) -> None:
    url = store.put("other.parquet", parquet(pl.DataFrame({"x": [1]})))
    with pytest.raises(InputError, match=r"other\.parquet: is no table of ImageIndex, it lacks image_id"):
        scan_table([url], ImageIndex, store.storage)


class Before(dy.Schema):
    """A table as an earlier version wrote it."""

    name = dy.String(primary_key=True)


class Now(Before):
    """The same table with further columns."""

    reason = dy.Enum(["a", "b"], nullable=True)
    parts = dy.List(dy.Int64(), nullable=True)


@pytest.mark.parametrize("oldest_first", [True, False])
def test_nullable_columns_that_a_file_lacks_are_null_and_columns_of_later_versions_are_left_out(
    store: Store, oldest_first: bool
) -> None:
    old, new = store.url("old.parquet"), store.url("new.parquet")
    write_table(pl.DataFrame({"name": ["x"]}), old, Before, store.storage)
    now = pl.DataFrame({"name": ["y"], "reason": ["b"], "parts": [[1, 2]]})
    write_table(now, new, Now, store.storage)
    files = [old, new] if oldest_first else [new, old]
    rows = read_table(files, Now, store.storage).sort("name")
    assert rows.rows() == [("x", None, None), ("y", "b", [1, 2])]
    assert scan_table(files, Now, store.storage).filter(pl.col("parts").is_null()).collect().height == 1
    assert read_table(files, Before, store.storage)["name"].sort().to_list() == ["x", "y"]


def test_rows_that_break_the_contract_are_neither_written_nor_read(store: Store) -> None:
    url = store.url("twice.parquet")
    with pytest.raises(ValidationError, match="primary_key"):
        write_table(index_rows("aa"), url, ImageIndex, store.storage)
    store.put("twice.parquet", parquet(index_rows("aa")))
    with pytest.raises(InputError, match=r"twice\.parquet.*primary_key"):
        read_table(url, ImageIndex, store.storage)


def test_a_busy_store_is_tried_again(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", path="t.parquet", method="PUT", times=2))
    behind = bucket.through(faults.url)
    assert create_table(index_rows("a"), behind.url("t.parquet"), ImageIndex, behind.storage)

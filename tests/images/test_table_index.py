"""An index that exists already becomes index rows that can be fetched, on every store."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.images.findings import Findings
from tests.images.indexing import fetched, put_parquet, read_index
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import Store, folder_store


def test_a_table_that_is_a_folder_with_a_files_name_is_read(store: Store) -> None:
    for part, picture in enumerate([b"one", b"two"]):
        put_parquet(store, f"t/spark.parquet/part-{part:05}.snappy.parquet", {"image": [picture]})
    store.put("t/spark.parquet/_SUCCESS", b"")
    assert fetched(store, read_index(store, store.url("t/spark.parquet"))) == [b"one", b"two"]


def test_the_mark_of_a_folder_is_no_table(moto: Store) -> None:
    moto.put("dir", b"")
    put_parquet(moto, "dir/a.parquet", {"url": ["/x.jpg"]})
    assert read_index(moto, moto.url("dir"))["uri"].to_list() == ["/x.jpg"]
    with pytest.raises(InputError, match="is empty"):
        read_index(moto, moto.put("t.csv", b""))


def test_a_table_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(StorageError, match=r"missing\.parquet: does not exist"):
        read_index(store, store.url("missing.parquet"))


@pytest.mark.parametrize("kind", ["struct", "binary"])
def test_embedded_images_stay_in_their_table(store: Store, kind: str) -> None:
    pictures = [f"picture {n}".encode() * 20 for n in range(30)]
    values = [{"bytes": p, "path": "x.jpg"} for p in pictures] if kind == "struct" else pictures
    source = put_parquet(
        store, "t/data.parquet", {"image": values, "label": list(range(30))}, row_group_size=7
    )
    index = read_index(store, source, true_class="label")
    column = "image.bytes" if kind == "struct" else "image"
    assert index["uri"][3] == f"{source}#column={column}&row=000000003"
    assert index["etag"].n_unique() == 1
    assert fetched(store, index.sample(fraction=1, shuffle=True, seed=1).sort("uri")) == pictures


def test_a_table_that_was_written_again_is_changed(store: Store) -> None:
    columns = {"image": [b"one", b"two"]}
    source = put_parquet(store, "data.parquet", columns)
    index = read_index(store, source)
    put_parquet(store, "data.parquet", {"image": [b"ONE!", b"TWO!"]})
    assert fetched(store, index) == ["changed", "changed"]


def test_embedded_bytes_are_not_read_to_index_them(bucket: Store, faults: FaultProxy) -> None:
    source = put_parquet(bucket, "big.parquet", {"image": [os.urandom(100_000) for _ in range(80)]})
    behind = bucket.through(faults.url)
    index = read_index(behind, source)
    assert index.height == 80
    assert faults.count("big.parquet") <= 3


def test_a_row_without_a_uri_is_left_out_and_counted(tmp_path: Path) -> None:
    store, findings = folder_store(tmp_path), Findings()
    columns = {"uri": [None, "a", "", "b"], "id": ["0", "1", "2", "3"]}
    index = read_index(store, put_parquet(store, "index.parquet", columns), findings, id="id")
    assert index["image_id"].to_list() == ["1", "3"]
    assert findings.left_out.files == {"no URI": 2}


@pytest.mark.parametrize("column", ["id", "etag"])
def test_a_row_without_an_id_or_etag_is_named(tmp_path: Path, column: str) -> None:
    store = folder_store(tmp_path)
    uris = ["a", "b"] if column == "id" else ["s3://b/a", "s3://b/b"]
    columns = {"uri": [None, *uris], "x": ["0", "1", None]}
    with pytest.raises(InputError, match=rf"column x \({column}\) is empty in 1 row\(s\), first in row 2"):
        read_index(store, put_parquet(store, "index.parquet", columns), **{column: "x"})


def test_any_table_with_buckets_and_keys_names_objects(moto: Store, tmp_path: Path) -> None:
    here = Store("folder", str(tmp_path), moto.storage)
    keys = ["a%20b.jpg", "no extension"]
    for key in keys:
        moto.put(key, key.encode())
    bucket = moto.root.removeprefix("s3://")
    etags = [hashlib.md5(key.encode()).hexdigest() for key in keys]
    columns: dict[str, Any] = {"Bucket": [bucket] * 3, "Key": [*keys, None], "url": ["http://x/y"] * 3}
    asked = read_index(here, put_parquet(here, "asked.parquet", columns))
    given = columns | {"ETag": [f'"{etag}"' for etag in etags] + [""], "Size": [9, -1, None]}
    told = read_index(here, put_parquet(here, "told.parquet", given))
    for index in (asked, told):
        assert index["uri"].to_list() == [moto.url(key) for key in keys]
        assert index["etag"].to_list() == etags
        assert fetched(moto, index) == [key.encode() for key in keys]
    assert told["size_bytes"].to_list() == [9, None]


def test_a_table_below_a_folder_that_may_not_be_read_is_counted_whole(tmp_path: Path) -> None:
    store, findings = folder_store(tmp_path), Findings()
    source = put_parquet(store, "t.parquet", {"image": [b"x", None]})
    read_index(store, source, findings, roots=("/elsewhere",))
    assert findings.unreadable == {"not under fetch.allowed_roots (/elsewhere)": 2}


def test_a_struct_without_any_bytes_gives_way_to_uris(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"x")
    images = pa.array([{"bytes": None, "w": 1}], pa.struct([("bytes", pa.binary()), ("w", pa.int64())]))
    here = folder_store(tmp_path)
    source = put_parquet(here, "t.parquet", {"image": images, "url": ["x.jpg"]})
    assert read_index(here, source)["uri"].to_list() == [f"{tmp_path}/x.jpg"]
    alone = put_parquet(here, "t.parquet", {"image": images})
    read_index(here, alone, findings := Findings())
    assert findings.unreadable == {"the row holds no bytes": 1}


def test_what_is_no_parquet_is_refused(store: Store) -> None:
    source = store.put("index.parquet", b"no table at all")
    with pytest.raises(InputError, match=r"index\.parquet is no Parquet file"):
        read_index(store, source)


def test_a_table_whose_bytes_are_damaged_is_refused_where_they_must_be_looked_at(tmp_path: Path) -> None:
    store = folder_store(tmp_path)
    images = [{"bytes": os.urandom(2000), "path": "x"}, {"bytes": None, "path": "x.jpg"}]
    source = put_parquet(store, "t.parquet", {"image": images})
    data = bytearray(store.get("t.parquet"))
    data[4:1000] = b"\xff" * 996
    store.put("t.parquet", bytes(data))
    with pytest.raises(InputError, match=r"t\.parquet cannot be read .*; write the table again"):
        read_index(store, source)

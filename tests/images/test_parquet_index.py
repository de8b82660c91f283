"""An index that exists already becomes index rows that can be fetched, on every store."""

import os
from pathlib import Path
from typing import Any

import pytest

from laketag.pipeline.errors import InputError, StorageError
from tests.images.indexing import fetched, put_parquet, read_index
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import Store, folder_store


def test_a_table_that_is_a_folder_with_a_files_name_is_read(store: Store) -> None:
    for part, picture in enumerate([b"one", b"two"]):
        put_parquet(store, f"t/spark.parquet/part-{part:05}.snappy.parquet", {"image": [picture]})
    store.put("t/spark.parquet/_SUCCESS", b"")
    assert fetched(store, read_index(store, store.url("t/spark.parquet"))) == [b"one", b"two"]


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


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"uri": ["a", None]}, "empty in 1 row"),
        ({"uri": ["a", ""]}, "empty in 1 row"),
        ({"nothing": [1]}, "neither a column of URIs nor one of image bytes"),
    ],
)
def test_a_table_that_is_no_index_is_refused_with_the_fix(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    store = folder_store(tmp_path)
    source = put_parquet(store, "index.parquet", columns)
    with pytest.raises(InputError, match=message):
        read_index(store, source)


def test_what_is_no_parquet_is_refused(store: Store) -> None:
    source = store.put("index.parquet", b"no table at all")
    with pytest.raises(InputError, match=r"index\.parquet is no Parquet file"):
        read_index(store, source)

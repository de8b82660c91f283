"""An index that exists already becomes index rows that can be fetched, on every store."""

import hashlib
import io
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.listing import ImageListing
from laketag.pipeline.images.parquet_index import read_parquet_index
from laketag.pipeline.stages.fetch_images import fetch_images
from laketag.schemas import ImageIndex
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import Store


def put_parquet(store: Store, key: str, columns: dict[str, Any], **options: Any) -> str:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return store.put(key, sink.getvalue())


def read_index(store: Store, source: str, **columns: str) -> pl.DataFrame:
    return ImageIndex.validate(
        pl.concat(list(read_parquet_index(source, IndexColumns(**columns), store.storage)))
    )


def fetched(store: Store, index: pl.DataFrame) -> list[Any]:
    table = fetch_images(index.drop("true_class").to_arrow(), fetch=FetchSettings(), storage=store.storage)
    return [
        data or failure
        for data, failure in zip(table["data"].to_pylist(), table["failure"].to_pylist(), strict=True)
    ]


def test_relative_uris_count_from_the_table_and_versions_are_asked_for(store: Store) -> None:
    for key in ("set/a.jpg", "set/deep/b//c.png" if store.name != "folder" else "set/deep/c.png"):
        store.put(key, key.encode())
    uris = ["a.jpg", "deep/b//c.png" if store.name != "folder" else "deep/c.png", "missing.jpg"]
    source = put_parquet(store, "set/index.parquet", {"uri": uris, "species": ["x", None, "y"]})
    index = read_index(store, source, true_class="species")
    assert index["uri"].to_list() == [store.url(f"set/{uri}") for uri in uris]
    assert index["true_class"].to_list() == ["x", None, "y"]
    assert index["etag"].to_list()[2] == "unknown"
    listed = pl.concat(list(ImageListing(store.url("set"), store.storage)))
    assert set(index["etag"][:2]) == set(listed["etag"])
    assert fetched(store, index) == [f"set/{uris[0]}".encode(), f"set/{uris[1]}".encode(), "not_found"]


def test_relative_uris_lead_to_other_folders_and_not_out_of_the_bucket(store: Store) -> None:
    store.put("img/x.jpg", b"x")
    store.put("set/y.jpg", b"y")
    source = put_parquet(store, "set/index.parquet", {"uri": ["../img/x.jpg", "./y.jpg"]})
    index = read_index(store, source)
    assert index["uri"].to_list() == [store.url("img/x.jpg"), store.url("set/y.jpg")]
    assert fetched(store, index) == [b"x", b"y"]
    if store.name != "folder":
        with pytest.raises(InputError, match=r"'\.\./\.\./x\.jpg' leads .* out of its bucket"):
            read_index(store, put_parquet(store, "set/index.parquet", {"uri": ["../../x.jpg"]}))


def test_a_table_that_is_a_folder_with_a_files_name_is_read(store: Store) -> None:
    for part, picture in enumerate([b"one", b"two"]):
        put_parquet(store, f"t/spark.parquet/part-{part:05}.snappy.parquet", {"image": [picture]})
    store.put("t/spark.parquet/_SUCCESS", b"")
    assert fetched(store, read_index(store, store.url("t/spark.parquet"))) == [b"one", b"two"]


def test_a_table_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(StorageError, match=r"missing\.parquet: does not exist"):
        read_index(store, store.url("missing.parquet"))


def test_uris_that_name_no_object_have_an_unknown_version(bucket: Store) -> None:
    bucket.put("folder/x.jpg", b"x")
    source = put_parquet(bucket, "index.parquet", {"uri": [bucket.url("folder/"), bucket.root, "folder"]})
    assert read_index(bucket, source)["etag"].to_list() == ["unknown"] * 3


@pytest.mark.parametrize("key", ["x.jpg", "odd//x.jpg"])
def test_a_store_that_cannot_be_asked_for_a_version_is_named(moto: Store, tmp_path: Any, key: str) -> None:
    here = Store("folder", str(tmp_path), moto.through("http://127.0.0.1:9").storage)
    source = put_parquet(here, "index.parquet", {"uri": [moto.url(key)]})
    with pytest.raises(StorageError, match=f"{moto.url(key)}: the store cannot be reached"):
        read_index(here, source)


def test_given_etags_are_the_stores_own_and_it_is_not_asked(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = bucket.put("x.jpg", b"x"), hashlib.md5(b"x").hexdigest()
    source = put_parquet(bucket, "index.parquet", {"uri": [uri], "tag": [f'"{etag}"']})
    index = read_index(bucket.through(faults.url), source, etag="tag")
    assert index["etag"].to_list() == [etag]
    assert faults.count("x.jpg", "HEAD") == 0
    assert fetched(bucket, index) == [b"x"]


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
    import os

    source = put_parquet(bucket, "big.parquet", {"image": [os.urandom(100_000) for _ in range(80)]})
    behind = bucket.through(faults.url)
    index = read_index(behind, source)
    assert index.height == 80
    assert faults.count("big.parquet") <= 3


@pytest.mark.parametrize(
    ("columns", "named", "message"),
    [
        ({"uri": ["a"]}, {"true_class": "nope"}, "no column 'nope' for --class-column"),
        (
            {"uri": ["a"], "meta": [{"label": "x"}]},
            {"true_class": "meta.label"},
            "no column 'meta.label' for --class",
        ),
        ({"uri": ["a"], "l": [["x"]]}, {"true_class": "l"}, "column 'l' for --class-column is list"),
        ({"uri": [b"a"]}, {"uri": "uri"}, "column 'uri' for --uri-column is binary, not text"),
        ({"uri": ["a"], "i": [b"x"]}, {"uri": "uri", "image": "i"}, "leave one out"),
        ({"uri": ["a"]}, {"image": "i"}, "no column 'i' for --image-column"),
        ({"uri": ["s3://b/a"], "n": [1]}, {"etag": "n"}, "column 'n' for --etag-column is int64, not text"),
        ({"uri": ["a"], "md5": ["0"]}, {"etag": "md5"}, "/a is not in one.*leave the option out"),
        ({"image": [b"a"], "md5": ["0"]}, {"etag": "md5"}, "version of their table; leave the option out"),
        ({"img&1": [b"x"]}, {"image": "img&1"}, "column 'img&1' has '&' or '#' in its name.*rename"),
        ({"a#b": [{"bytes": b"x"}]}, {"image": "a#b"}, "column 'a#b.bytes' has '&' or '#' in its name"),
    ],
)
def test_a_column_that_does_not_hold_what_it_should_is_refused_by_its_option(
    tmp_path: Any, columns: dict[str, Any], named: dict[str, str], message: str
) -> None:
    store = Store("folder", str(tmp_path))
    with pytest.raises(InputError, match=message):
        read_index(store, put_parquet(store, "index.parquet", columns), **named)


def test_a_name_with_a_dot_is_a_column_like_any_other(tmp_path: Any) -> None:
    store = Store("folder", str(tmp_path))
    store.put("a.jpg", b"x")
    source = put_parquet(store, "index.parquet", {"image.url": ["a.jpg"], "my.bytes": [b"picture"]})
    assert read_index(store, source, uri="image.url")["uri"].to_list() == [store.url("a.jpg")]
    assert fetched(store, read_index(store, source, image="my.bytes")) == [b"picture"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"uri": ["a", None]}, "empty in 1 row"),
        ({"uri": ["a", ""]}, "empty in 1 row"),
        ({"nothing": [1]}, "neither a column of URIs nor one of image bytes"),
    ],
)
def test_a_table_that_is_no_index_is_refused_with_the_fix(
    tmp_path: Any, columns: dict[str, Any], message: str
) -> None:
    store = Store("folder", str(tmp_path))
    source = put_parquet(store, "index.parquet", columns)
    with pytest.raises(InputError, match=message):
        read_index(store, source)


def test_what_is_no_parquet_is_refused(store: Store) -> None:
    source = store.put("index.parquet", b"no table at all")
    with pytest.raises(InputError, match=r"index\.parquet is no Parquet file"):
        read_index(store, source)

"""URIs of an index lead from its table to the images, and each image's version is looked up or given."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.images.findings import Findings
from laketag.pipeline.images.index_uris import ImageAccess, absolute_uri, find_versions
from laketag.pipeline.images.listing import ImageListing
from laketag.pipeline.store.locations import LOCAL, Location
from tests.images.indexing import fetched, put_parquet, read_index
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import Store


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
        source = put_parquet(store, "set/index.parquet", {"uri": ["../../x.jpg", "y.jpg"]})
        index = read_index(store, source, findings := Findings())
        assert fetched(store, index) == ["outside_policy", b"y"]
        ((reason, count),) = findings.unreadable.items()
        assert (reason.count("leads out of the bucket"), count) == (1, 1)


def test_uris_that_name_no_object_have_an_unknown_version(bucket: Store) -> None:
    bucket.put("folder/x.jpg", b"x")
    source = put_parquet(bucket, "index.parquet", {"uri": [bucket.url("folder/"), bucket.root, "folder"]})
    assert read_index(bucket, source)["etag"].to_list() == ["unknown"] * 3


@pytest.mark.parametrize("key", ["x.jpg", "odd//x.jpg"])
def test_a_store_that_cannot_be_asked_for_a_version_is_named(
    moto: Store, once: None, tmp_path: Path, key: str
) -> None:
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


@pytest.mark.parametrize(
    ("written", "absolute"),
    [
        ("/a/x.jpg", "/a/x.jpg"),
        ("x.jpg", "/in/x.jpg"),
        ("file:/a/x y.jpg", "/a/x y.jpg"),
        ("file:///a/x%20y.jpg", "/a/x y.jpg"),
        ("file://localhost/a/x.jpg", "/a/x.jpg"),
        ("FILE:/a/x.jpg", "/a/x.jpg"),
        ("s3a://b/k//x.jpg", "s3://b/k//x.jpg"),
        ("S3N://b/k", "s3://b/k"),
        ("s3://b/k?#", "s3://b/k?#"),
        ("dbfs:/x.jpg", "dbfs:///x.jpg"),
        ("http://h/x.jpg?a=b", "http://h/x.jpg?a=b"),
        ("C:\\x.jpg", "C:\\x.jpg"),
        ("10:30.jpg", "/in/10:30.jpg"),
    ],
)
def test_uris_of_other_programs_are_understood(written: str, absolute: str) -> None:
    assert absolute_uri(written, Location(LOCAL, "", "/in/list.parquet")) == absolute


def test_a_password_in_a_uri_is_neither_kept_nor_used() -> None:
    uri = absolute_uri("FTP://ann:s3cret@host/x.jpg", Location(LOCAL, "", "/in/list.txt"))
    assert uri == "ftp://ann:***@host/x.jpg"
    find_versions([uri], ImageAccess(StorageSettings()), findings := Findings())
    assert [reason.partition(" would")[0] for reason in findings.unreadable] == ["a URL with a password"]


def test_a_percent_sign_in_the_name_of_a_file_that_is_there_is_no_encoding(tmp_path: Path) -> None:
    (tmp_path / "100%25.jpg").touch()
    assert absolute_uri(f"file:{tmp_path}/100%25.jpg", Location(LOCAL, "", "/l")) == f"{tmp_path}/100%25.jpg"


def test_what_can_never_be_read_is_counted_by_reason_and_never_asked_for(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").touch()
    uris = [
        "dbfs:///x.jpg",
        "nosuch://h/x",
        "a\0b",
        "C:\\x.jpg",
        "s3://",
        "ftp://h:notaport/x",
        f"{tmp_path}/gone",
        f"{tmp_path}/x.jpg",
    ]
    findings = Findings()
    etags = find_versions([*uris, "nosuch://h/y"], ImageAccess(StorageSettings()), findings)
    assert [etag == "unknown" for etag in etags] == [True] * 7 + [False, True]
    counted = {" ".join(reason.split()[:2]): images for reason, images in findings.unreadable.items()}
    assert counted == {
        "dbfs:// needs": 1,
        "nosuch:// is": 2,
        "a NUL": 1,
        "a path": 1,
        "the URL": 1,
        "ftp:// is": 1,
        "there is": 1,
    }
    find_versions(
        ["ftp://h:notaport/x"], ImageAccess(StorageSettings(), ("ftp://h:notaport",)), wrong := Findings()
    )
    assert [reason.partition(":")[2][:20] for reason in wrong.unreadable] == ["//h:notaport cannot "]
    inside = ImageAccess(StorageSettings(), (f"{tmp_path}/below",))
    find_versions([f"{tmp_path}/x.jpg"], inside, outside := Findings())
    assert outside.unreadable == {f"not under fetch.allowed_roots ({tmp_path}/below)": 1}

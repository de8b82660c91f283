"""Reading from object stores: keys that are no paths, and who may read."""

import threading

import polars as pl
import pytest

from laketag.pipeline.errors import AccessError, StorageError
from laketag.pipeline.images.fetch_objects import read_slowly
from laketag.pipeline.images.image_reading import ImageReading
from laketag.pipeline.images.listing import ImageListing
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.looks import find_version
from laketag.pipeline.store.schemes import open_filesystem
from laketag.pipeline.store.versions import Version
from tests.images.indexing import fetched, put_parquet, read_index
from tests.images.reading import put, read_beside, read_one, with_settings
from tests.stores.ceph_gateway import User
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import OWNER, STRANGER, Store

PARTS = [
    "/",
    "..",
    ".",
    "*[x]?{y}",
    " a+b%20c&d=e ",
    "#",
    "?x=1",
    "\u00a0",
    "two\nlines",
    "\t",
    "😀",
    "e\u0301",
    "~'\";:@,<>|^`\\",
]
KEYS = ["b.jpg", "a/b.jpg", *(f"a/{part}/b.jpg" for part in PARTS), f"{'k' * 1020}.jpg", "/lead.jpg"]
"""Objects that differ in what a client may take for a separator, a pattern or an escape."""


def test_images_at_any_key_are_indexed_and_read(bucket: Store) -> None:
    keys = [key for key in KEYS if bucket.name != "moto" or "\n" not in key]  # moto answers those with 404
    filesystem, root = open_filesystem(bucket.root, bucket.storage)
    for key in keys:
        filesystem.call_s3("put_object", Bucket=root, Key=key, Body=key.encode())
    listed = pl.concat(list(ImageListing(bucket.root, bucket.storage)))
    assert sorted(listed["uri"]) == sorted(f"{bucket.root}/{key}" for key in keys)
    assert fetched(bucket, listed) == [uri[len(bucket.root) + 1 :].encode() for uri in listed["uri"]]
    versions = [find_version(parse_url(uri), bucket.storage).etag for uri in listed["uri"]]
    assert versions == listed["etag"].to_list()


@pytest.mark.parametrize("part", ["/", ".", "..", "*?#%20[x]", "\u00a0\t😀"])
def test_tables_at_any_key_are_read(moto: Store, part: str) -> None:
    filesystem, root = open_filesystem(moto.root, moto.storage)
    url = put_parquet(moto, "t.parquet", {"image": [b"one", b"two"]})
    filesystem.call_s3("copy_object", Bucket=root, Key=f"a/{part}/t.parquet", CopySource=f"{root}/t.parquet")
    index = read_index(moto, url.replace("t.parquet", f"a/{part}/t.parquet"), image="image")
    assert fetched(moto, index) == [b"one", b"two"]


def test_keys_that_are_no_paths_fail_as_others_do(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = put(bucket, "a//b.jpg", b"x" * 1000)
    behind = bucket.through(faults.url)
    assert read_one(behind, bucket.url("a//missing.jpg")).reason == "not_found"
    assert read_one(behind, uri, "0" * 32).reason == "changed"
    assert read_one(behind, uri, etag, with_settings(max_bytes=999)).reason == "too_large"
    fault = faults.add(Fault("hold", path="a//b.jpg", method="GET"))
    assert read_one(behind, uri, etag, with_settings(deadline_s=0.5)).reason == "timeout"
    fault.over = True
    uri, etag = put(
        bucket, "a//cut.jpg", b"x" * 1000
    )  # the reader that was given up may ask for the other once more
    faults.add(Fault("truncate", path="a//cut.jpg", method="GET", times=1))
    image = read_one(behind, uri, etag)
    assert (image.reason, image.attempts) == (None, 2)


def test_a_body_that_trickles_in_ends_at_the_deadline(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = put(bucket, "a//b.jpg", b"x" * 10_000)
    fault = faults.add(Fault("drip", path="a//b.jpg", method="GET"))  # takes 1,000 s
    storage = bucket.through(faults.url).storage
    with pytest.raises(TimeoutError, match="of 10000 bytes arrived in time"):
        read_slowly(parse_url(uri), Version(etag), ImageReading(with_settings(deadline_s=0.5), storage))
    fault.over = True


def test_a_missing_bucket_is_not_found_if_others_are_there(bucket: Store) -> None:
    image = read_beside(bucket, "s3://no-such-bucket-here/x.jpg", "0" * 32)
    assert (image.reason, image.attempts) == ("not_found", 1)


def test_too_large_is_refused_before_the_body(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = put(bucket, "x.jpg", b"x" * 5000)
    fault = faults.add(Fault("stall", path="x.jpg", sent_bytes=10))  # the body never comes
    image = read_one(bucket.through(faults.url), uri, etag, with_settings(max_bytes=4000))
    fault.over = True
    assert (image.reason, image.attempts) == ("too_large", 1)


@pytest.mark.parametrize(
    "user",
    [
        STRANGER,
        User("wrong secret", OWNER.access_key, "not-the-secret"),
        User("wrong key", "no-such-key", "x" * 20),
    ],
    ids=lambda user: user.name,
)
@pytest.mark.ceph
def test_wrong_credentials_stop_the_run_at_the_first_try(
    ceph: Store, monkeypatch: pytest.MonkeyPatch, user: User
) -> None:
    uri, etag = put(ceph, "x.jpg")
    assert read_one(ceph, uri, etag).reason is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_key)
    with pytest.raises(AccessError, match=r"check .*AWS_ACCESS_KEY_ID|check the credentials") as raised:
        read_one(ceph, uri, etag)
    assert user.secret_key not in str(raised.value)
    assert user.access_key not in str(raised.value)


def test_a_bucket_that_is_private_to_the_anonymous_stops_the_run(bucket: Store) -> None:
    uri, etag = put(bucket, "x.jpg")
    storage = bucket.storage.model_copy(update={"anonymous": True})
    with pytest.raises(AccessError, match="no other image there can be read; check the credentials"):
        read_one(Store("anonymous", bucket.root, storage), uri, etag)


@pytest.mark.parametrize("key", ["x.jpg", "a//x.jpg"])
def test_a_run_without_any_credentials_stops_and_says_so(
    bucket: Store, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    uri, etag = put(bucket, key)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    before = set(threading.enumerate())
    with pytest.raises(StorageError, match=r"no usable credentials.*AWS_ACCESS_KEY_ID") as raised:
        read_one(bucket, uri, etag)
    left = [
        thread for thread in threading.enumerate() if thread.name.startswith("fetch") and thread not in before
    ]
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left), f"{raised.value} left threads behind"

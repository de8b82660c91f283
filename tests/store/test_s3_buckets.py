"""Stores that speak S3 with an accent: what is indexed there is read there, by every client."""

from dataclasses import replace

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import AccessError
from laketag.pipeline.images.listing import ImageListing
from laketag.pipeline.lake.tables import read_table, write_table
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.looks import find_version
from laketag.pipeline.store.s3_buckets import bucket_access
from laketag.schemas import ImageIndex
from tests.images.indexing import fetched, put_parquet, read_index
from tests.images.reading import read_one
from tests.stores.bends import (
    Bend,
    EmptyEtags,
    IgnoringStartAfter,
    InclusiveStartAfter,
    InHostName,
    InRegion,
    RequesterPays,
    WeakEtags,
    WithoutEtags,
)
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store

KEYS = ("in/a.jpg", "in/b//odd.jpg")
FRAME = pl.DataFrame(
    {
        "image_id": ["a"],
        "uri": ["/a"],
        "etag": ["1"],
        "size_bytes": [1],
        "true_class": [None],
        "carried": [None],
    },
    schema_overrides={"true_class": pl.String, "carried": pl.Boolean},
)
PAYING = {"requester_pays": True}


@pytest.mark.parametrize(
    ("bend", "settings"),
    [
        (WithoutEtags(), {}),
        (EmptyEtags(), {}),
        (WeakEtags(), {}),
        (InRegion("eu-west-1"), {}),
        (RequesterPays(), PAYING),
        (IgnoringStartAfter(), {}),
        (InclusiveStartAfter(), {}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Bend) else "",
)
def test_images_and_tables_are_indexed_and_read(
    moto: Store, moto_faults: FaultProxy, bend: Bend, settings: dict[str, bool]
) -> None:
    """Through s3fs, polars, obstore and botocore, and twice in another version afterwards."""
    for key in KEYS:
        moto.put(key, key.encode())
    table = put_parquet(moto, "tables/a//t.parquet", {"image": [b"one", b"two"]})
    moto_faults.bend = bend
    bent = moto.through(moto_faults.url)
    bent = replace(bent, storage=bent.storage.model_copy(update=settings))

    listed = pl.concat(list(ImageListing(bent.url("in"), bent.storage)))
    assert sorted(listed["uri"]) == [moto.url(key) for key in KEYS]
    assert sorted(str(data) for data in fetched(bent, listed)) == sorted(str(key.encode()) for key in KEYS)
    for uri in listed["uri"]:
        etag = find_version(parse_url(uri), bent.storage).etag
        assert etag == "unknown" or len(etag) == 32
        assert read_one(bent, uri, etag).reason is None
    assert fetched(bent, read_index(bent, table, image="image")) == [b"one", b"two"]
    write_table(FRAME, bent.url("lake/t.parquet"), ImageIndex, bent.storage)
    assert read_table(bent.url("lake/t.parquet"), ImageIndex, bent.storage).equals(FRAME)


def test_another_version_is_found_where_etags_are_weak(moto: Store, moto_faults: FaultProxy) -> None:
    moto_faults.bend = WeakEtags()
    bent = moto.through(moto_faults.url)
    for key in KEYS:
        etag = find_version(parse_url(moto.put(key, b"old")), bent.storage).etag
        moto.put(key, b"new")
        assert read_one(bent, moto.url(key), etag).reason == "changed"


def test_without_the_setting_a_bucket_whose_readers_pay_is_named(
    moto: Store, moto_faults: FaultProxy
) -> None:
    uri = moto.put("in/a.jpg", b"x")
    moto_faults.bend = RequesterPays()
    bent = moto.through(moto_faults.url)
    with pytest.raises(AccessError, match=r"set storage\.requester_pays = true"):
        read_one(bent, uri)
    with pytest.raises(AccessError, match=r"requester pays.*set storage\.requester_pays = true"):
        list(ImageListing(bent.url("in"), bent.storage))


def test_a_bucket_in_the_hosts_name(
    moto: Store, moto_faults: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is an HTTP proxy here, so that the bucket's name need not be found in DNS."""
    moto.put("in/a.jpg", b"a")
    moto_faults.bend = InHostName()
    monkeypatch.setenv("HTTP_PROXY", moto_faults.url)
    monkeypatch.setenv("http_proxy", moto_faults.url)
    monkeypatch.setenv("NO_PROXY", "")
    storage = StorageSettings(endpoint_url="http://store.test", region="us-east-1", addressing="virtual")
    bent = Store("virtual", moto.root, storage)
    listed = pl.concat(list(ImageListing(bent.url("in"), storage)))
    assert fetched(bent, listed) == [b"a"]
    write_table(FRAME, bent.url("lake/t.parquet"), ImageIndex, storage)
    assert read_table(bent.url("lake/t.parquet"), ImageIndex, storage).equals(FRAME)


def test_the_region_of_a_bucket_is_asked_for_once(moto: Store, moto_faults: FaultProxy) -> None:
    moto_faults.bend = InRegion("eu-west-1")
    storage = moto.through(moto_faults.url).storage
    bucket = parse_url(moto.root).bucket
    assert [bucket_access(bucket, storage).region for _ in range(3)] == ["eu-west-1"] * 3
    assert moto_faults.count(bucket, "HEAD") <= 2  # botocore asks again where the first answer leads


def test_a_store_that_does_not_answer_at_first_is_asked_for_the_region_later(
    moto: Store, moto_faults: FaultProxy
) -> None:
    moto_faults.bend = InRegion("eu-west-1")
    storage, bucket = moto.through(moto_faults.url).storage, parse_url(moto.root).bucket
    moto_faults.add(Fault("status", path=bucket, method="HEAD", status=503, code="SlowDown", times=2))
    times_s = iter((0.0, 0.0, 1.0, 100.0))
    regions = [bucket_access(bucket, storage, lambda: next(times_s)).region for _ in range(3)]
    assert regions == ["us-east-1", "us-east-1", "eu-west-1"]


@pytest.mark.parametrize("key", KEYS)
def test_an_archived_object_is_archived(moto: Store, moto_faults: FaultProxy, key: str) -> None:
    uri = moto.put(key, b"x")
    moto_faults.add(Fault("status", path=key, method="GET", status=403, code="InvalidObjectState"))
    image = read_one(moto.through(moto_faults.url), uri)
    assert (image.reason, image.attempts) == ("archived", 1)
    assert "--retry archived" in image.detail

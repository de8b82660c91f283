"""Each object below a prefix is listed once, by requests side by side, and has the version that a read finds."""

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.s3_objects import (
    KeyRange,
    Prefix,
    find_object_version,
    list_objects,
    list_range,
)
from laketag.pipeline.store.schemes import open_bucket
from tests.stores.store import Store

KEYS = st.lists(st.text("abAB01_/~é.", min_size=1, max_size=6), unique=True, max_size=60)
FOLDERS = st.dictionaries(
    st.text("abB1~é年\U0001f600", min_size=1, max_size=3), st.integers(1, 30), max_size=6
)
"""The number of keys in each folder: more than the pages after which a range is cut."""


class Bucket:
    """A store that lists as S3 does: in code point order, after a key, a page at a time."""

    def __init__(self, keys: list[str], page: int) -> None:
        self.keys, self.page, self.requests = sorted(keys), page, 0

    def list_objects_v2(
        self,
        *,
        Bucket: str,  # noqa: ARG002  # part of the request
        Prefix: str,
        MaxKeys: int,
        StartAfter: str = "",
    ) -> dict[str, object]:
        self.requests += 1
        found = [key for key in self.keys if key.startswith(Prefix) and key > StartAfter]
        return {
            "Contents": [{"Key": key} for key in found[: min(self.page, MaxKeys)]],
            "IsTruncated": len(found) > min(self.page, MaxKeys),
        }


def list_all(bucket: Bucket, prefix: str = "") -> list[str]:
    waiting, found = [KeyRange("", None)], []
    while waiting:
        objects, rest = list_range(Prefix(bucket, "b", prefix), waiting.pop())
        found += [entry["Key"] for entry in objects]
        waiting += rest
    return found


@settings(deadline=None)
@given(keys=KEYS, page=st.integers(1, 4))
def test_cutting_a_prefix_into_ranges_lists_each_key_once(keys: list[str], page: int) -> None:
    assert Counter(list_all(Bucket(keys, page))) == Counter(keys)


@settings(deadline=None)
@given(folders=FOLDERS, page=st.integers(1, 4))
@example(folders={"a": 16, "aéroport": 20, "b": 1}, page=4)  # more than a page between "…a~" and "…b"
def test_names_beyond_ascii_that_fill_many_pages_are_listed_once(folders: dict[str, int], page: int) -> None:
    keys = [f"in/{folder}/{number:02}.jpg" for folder, files in folders.items() for number in range(files)]
    assert Counter(list_all(Bucket([*keys, "inside/x.jpg", "z.jpg"], page), "in/")) == Counter(keys)


def test_numbered_keys_are_cut_into_ranges_that_run_side_by_side() -> None:
    keys = [f"photos/img_{number:06}.jpg" for number in range(20_000)]
    bucket = Bucket(keys, 100)
    objects, rest = list_range(Prefix(bucket, "b", "photos/"), KeyRange("", None))
    assert len(objects) == 300
    assert len(rest) > 20
    assert sorted(list_all(bucket, "photos/")) == keys
    assert bucket.requests < 3 * len(keys) / 100


def test_each_object_below_a_prefix_is_listed_once_with_its_version(bucket: Store) -> None:
    """More than a page, several depths, and keys that are no paths."""
    client = open_bucket(parse_url(bucket.root), bucket.storage, Requests(30.0))
    numbered = [f"in/d{n % 3}/img_{n:05}.jpg" for n in range(2_300)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: client.put(key, b"x"), numbered))
    odd = ["in/a b+c.PNG", "in/ü€日本.webp", "in/x//double.gif", "in/p%20q.jpg", "in/[y].jpg", "in/.hidden"]
    for key in (*odd, "inside/other.jpg", "out.jpg"):
        bucket.put(key, b"12345")
    found = [file for page in list_objects(parse_url(bucket.url("in")), bucket.storage) for file in page]
    assert Counter(file.url for file in found) == Counter(bucket.url(key) for key in (*numbered, *odd))
    assert {f"in/{file.path}" for file in found} == {*numbered, *odd}
    assert {file.path: (file.size_bytes, file.etag) for file in found}["[y].jpg"] == (
        5,
        hashlib.md5(b"12345").hexdigest(),
    )


@pytest.mark.parametrize("key", ["a/b.jpg", "a//b.jpg"])
def test_an_object_has_the_version_that_a_listing_finds(bucket: Store, key: str) -> None:
    location = parse_url(bucket.put(key, b"x"))
    assert find_object_version(location, bucket.storage).etag == hashlib.md5(b"x").hexdigest()


@pytest.mark.parametrize("key", ["missing", "odd//missing", "", "folder", "folder/"])
def test_what_is_no_object_has_an_unknown_version(bucket: Store, key: str) -> None:
    bucket.put("folder/x", b"x")
    assert not find_object_version(parse_url(bucket.url(key)), bucket.storage).is_known


@pytest.mark.parametrize("key", ["x", "odd//x"])
def test_a_store_that_does_not_answer_is_not_an_unknown_version(moto: Store, once: None, key: str) -> None:
    url, gone = moto.url(key), moto.through("http://127.0.0.1:9").storage
    with pytest.raises(StorageError, match="cannot be reached"), store_errors(url):
        find_object_version(parse_url(url), gone)

"""Each object below a prefix is listed once, by requests side by side, and has the version that a read finds."""

import hashlib
import random
from bisect import bisect_left, bisect_right
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.looks import find_version
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.s3_objects import KeyRange, Prefix, list_objects, list_pages, list_range
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

    def first(self, keys: list[str], start_after: str) -> int:
        """Where in the keys a listing starts."""
        return bisect_right(keys, start_after)

    def list_objects_v2(
        self,
        *,
        Bucket: str,  # noqa: ARG002  # part of the request
        Prefix: str,
        MaxKeys: int,
        StartAfter: str = "",
        ContinuationToken: str = "",
    ) -> dict[str, object]:
        self.requests += 1
        keys = [key for key in self.keys if key.startswith(Prefix)]
        start = int(ContinuationToken) if ContinuationToken else self.first(keys, StartAfter)
        end = start + min(self.page, MaxKeys)
        more = {"NextContinuationToken": str(end)} if end < len(keys) else {}
        return {
            "Contents": [{"Key": key} for key in keys[start:end]],
            "IsTruncated": end < len(keys),
            **more,
        }


class Inclusive(Bucket):
    """Lists the given key itself, too."""

    def first(self, keys: list[str], start_after: str) -> int:
        return bisect_left(keys, start_after)


class Ignoring(Bucket):
    """Lists from the beginning, whatever key is given."""

    def first(self, keys: list[str], start_after: str) -> int:  # noqa: ARG002
        return 0


class Unordered(Ignoring):
    """As AWS's directory buckets."""

    def __init__(self, keys: list[str], page: int) -> None:
        super().__init__(keys, page)
        random.Random(0).shuffle(self.keys)


class WithEmptyPages(Bucket):
    """Every other page is empty, though more follow."""

    def list_objects_v2(self, **request: Any) -> dict[str, object]:
        token = request.get("ContinuationToken", "")
        if token.startswith("full"):
            return super().list_objects_v2(**{**request, "ContinuationToken": token.removeprefix("full")})
        keys = [key for key in self.keys if key.startswith(request["Prefix"])]
        start = token or self.first(keys, request.get("StartAfter", ""))
        return {"IsTruncated": True, "NextContinuationToken": f"full{start}"}


class Endless(Ignoring):
    """Answers each request with the first page."""

    def list_objects_v2(self, **request: Any) -> dict[str, object]:
        request.pop("ContinuationToken", None)
        return super().list_objects_v2(**request)


class WithoutTokens(Bucket):
    """Says that more follows, but gives no token for it."""

    def list_objects_v2(self, **request: Any) -> dict[str, object]:
        answer = super().list_objects_v2(**request)
        answer.pop("NextContinuationToken", None)
        return answer


class IgnoringWithoutTokens(Ignoring, WithoutTokens):
    """Answers each request with the first page, too."""


def list_all(bucket: Bucket, prefix: str = "") -> list[str]:
    return [entry["Key"] for page in list_pages(Prefix(bucket, "b", prefix)) for entry in page]


@pytest.mark.parametrize("kind", [Bucket, Inclusive, Ignoring, Unordered, WithEmptyPages, WithoutTokens])
@settings(deadline=None, max_examples=60)
@given(keys=KEYS, page=st.integers(1, 4))
def test_each_key_is_listed_once_from_whatever_key_a_store_lists(
    kind: type[Bucket], keys: list[str], page: int
) -> None:
    assert Counter(list_all(kind(keys, page))) == Counter(keys)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        (Endless, "NextContinuationToken comes twice"),
        (IgnoringWithoutTokens, "without NextContinuationToken"),
    ],
)
def test_a_listing_that_cannot_go_on_ends_with_the_name_of_the_store(kind: type[Bucket], how: str) -> None:
    with pytest.raises(StorageError, match=f"^s3://b/: the store says that more follows .*{how}"):
        list_all(kind(["a", "b", "c"], 2))


@settings(deadline=None)
@given(folders=FOLDERS, page=st.integers(1, 4))
@example(folders={"a": 16, "aéroport": 20, "b": 1}, page=4)  # more than a page between "…a~" and "…b"
def test_names_beyond_ascii_that_fill_many_pages_are_listed_once(folders: dict[str, int], page: int) -> None:
    keys = [f"in/{folder}/{number:02}.jpg" for folder, files in folders.items() for number in range(files)]
    assert Counter(list_all(Bucket([*keys, "inside/x.jpg", "z.jpg"], page), "in/")) == Counter(keys)


def test_numbered_keys_are_cut_into_ranges_that_run_side_by_side() -> None:
    keys = [f"photos/img_{number:06}.jpg" for number in range(20_000)]
    bucket = Bucket(keys, 100)
    objects, rest = list_range(Prefix(bucket, "b", "photos/"), KeyRange("photos/", None))
    assert len(objects) == 400
    assert len(rest) > 20
    assert sorted(list_all(bucket, "photos/")) == keys
    assert bucket.requests < 3 * len(keys) / 100


def test_each_object_below_a_prefix_is_listed_once_with_its_version(bucket: Store) -> None:
    """More than a page, several depths, and keys that are no paths."""
    client = open_bucket(parse_url(bucket.root), bucket.storage, Requests(30.0))
    numbered = [f"in/d{n % 3}/img_{n:05}.jpg" for n in range(1_100)]
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
    assert find_version(location, bucket.storage).etag == hashlib.md5(b"x").hexdigest()


@pytest.mark.parametrize("key", ["missing", "odd//missing", "", "folder", "folder/"])
def test_what_is_no_object_has_an_unknown_version(bucket: Store, key: str) -> None:
    bucket.put("folder/x", b"x")
    assert not find_version(parse_url(bucket.url(key)), bucket.storage).is_known


@pytest.mark.parametrize("key", ["x", "odd//x"])
def test_a_store_that_does_not_answer_is_not_an_unknown_version(moto: Store, once: None, key: str) -> None:
    url, gone = moto.url(key), moto.through("http://127.0.0.1:9").storage
    with pytest.raises(StorageError, match="cannot be reached"), store_errors(url):
        find_version(parse_url(url), gone)

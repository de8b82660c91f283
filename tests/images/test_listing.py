import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.images import listing
from laketag.pipeline.images.listing import ImageListing, image_id
from laketag.pipeline.stages.fetch_images import fetch_images
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import open_bucket
from tests.stores.store import Store

KEYS = st.lists(st.text("abAB01_/~é.", min_size=1, max_size=6), unique=True, max_size=60)
FOLDERS = st.dictionaries(
    st.text("abB1~é年\U0001f600", min_size=1, max_size=3), st.integers(1, 30), max_size=6
)
"""How many numbered keys lie in each folder: more than the pages after which a range is cut."""


class Bucket:
    """A store that lists as S3 does: in code point order, after a key, so many at a time."""

    def __init__(self, keys: list[str], page: int) -> None:
        self.keys, self.page, self.requests = sorted(keys), page, 0

    def list_objects_v2(
        self,
        *,
        Bucket: str,  # noqa: ARG002  # part of the request
        Prefix: str,
        MaxKeys: int,
        StartAfter: str = "",
    ) -> dict:
        self.requests += 1
        found = [key for key in self.keys if key.startswith(Prefix) and key > StartAfter]
        return {
            "Contents": [{"Key": key} for key in found[: min(self.page, MaxKeys)]],
            "IsTruncated": len(found) > min(self.page, MaxKeys),
        }


def list_all(bucket: Bucket, prefix: str = "") -> list[str]:
    waiting, found = [listing._Range("", None)], []
    while waiting:
        objects, rest = listing._list_range(bucket, "b", prefix, waiting.pop())
        found += [entry["Key"] for entry in objects]
        waiting += rest
    return found


@settings(deadline=None)
@given(keys=KEYS, page=st.integers(1, 4))
def test_cutting_a_prefix_into_ranges_lists_each_key_once(keys, page) -> None:
    assert Counter(list_all(Bucket(keys, page))) == Counter(keys)


@settings(deadline=None)
@given(folders=FOLDERS, page=st.integers(1, 4))
@example(folders={"a": 16, "aéroport": 20, "b": 1}, page=4)  # more than a page between "…a~" and "…b"
def test_names_beyond_ascii_that_fill_many_pages_are_listed_once(folders, page) -> None:
    keys = [f"in/{folder}/{number:02}.jpg" for folder, files in folders.items() for number in range(files)]
    assert Counter(list_all(Bucket([*keys, "inside/x.jpg", "z.jpg"], page), "in/")) == Counter(keys)


def test_numbered_keys_are_cut_into_ranges_that_run_side_by_side() -> None:
    keys = [f"photos/img_{number:06}.jpg" for number in range(20_000)]
    bucket = Bucket(keys, 100)
    objects, rest = listing._list_range(bucket, "b", "photos/", listing._Range("", None))
    assert len(objects) == 300
    assert len(rest) > 20
    assert sorted(list_all(bucket, "photos/")) == keys
    assert bucket.requests < 3 * len(keys) / 100


def test_a_folder_is_listed_in_order_with_versions_and_relative_paths(tmp_path) -> None:
    for name in (
        "b/2.PNG",
        "a/1.jpg",
        "a/deep/er/3.webp",
        "notes.txt",
        ".hidden/4.jpg",
        "a/.5.jpg",
        "README",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * len(name))
    images = ImageListing(str(tmp_path), StorageSettings())
    rows = [row for frame in images for row in frame.iter_rows(named=True)]
    assert [row["path"] for row in rows] == ["a/1.jpg", "a/deep/er/3.webp", "b/2.PNG"]
    assert images.left_out == {".txt": 1, "no extension": 1}
    status = (tmp_path / "a/1.jpg").stat()
    assert rows[0]["etag"] == f"{status.st_size}-{status.st_mtime_ns}"
    assert rows[0]["uri"] == str(tmp_path / "a/1.jpg")
    assert rows[0]["size_bytes"] == status.st_size


def test_a_circle_of_links_ends(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"x")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "missing.jpg")
    paths = [path for frame in ImageListing(str(tmp_path), StorageSettings()) for path in frame["path"]]
    assert paths == ["a/1.jpg"]


def test_a_source_that_is_no_folder_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        list(ImageListing(str(tmp_path / "missing"), StorageSettings()))


def test_an_image_id_is_the_blake2b_128_of_the_uri() -> None:
    assert (
        image_id("/images/a.jpg") == "b15a58dc35a172a5948cf3ffda6d31c0"
    )  # printf %s /images/a.jpg | b2sum -l 128


def test_each_object_below_a_prefix_is_listed_once_with_its_version(bucket: Store) -> None:
    """More than a page, several depths, and keys that are no paths."""
    client = open_bucket(parse_url(bucket.root), bucket.storage, Requests(30.0))
    numbered = [f"in/d{n % 3}/img_{n:05}.jpg" for n in range(2_300)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: client.put(key, b"x"), numbered))
    odd = ["in/a b+c.PNG", "in/ü€日本.webp", "in/x//double.gif", "in/p%20q.jpg", "in/[y].jpg"]
    for key in (*odd, "in/notes.txt", "in/.hidden/x.jpg", "inside/other.jpg", "out.jpg"):
        bucket.put(key, b"12345")
    images = ImageListing(bucket.url("in"), bucket.storage)
    found = pl.concat(list(images))
    assert sorted(found["path"]) == sorted(key.removeprefix("in/") for key in (*numbered, *odd))
    assert sorted(found["uri"]) == sorted(bucket.url(key) for key in (*numbered, *odd))
    assert images.left_out == {".txt": 1}
    row = found.row(by_predicate=pl.col("path") == "[y].jpg", named=True)
    assert (row["size_bytes"], row["etag"]) == (5, hashlib.md5(b"12345").hexdigest())


def test_what_is_listed_can_be_fetched(store: Store) -> None:
    for key in ("a/1.jpg", "a/b+ c/2.png", "ü/3.gif"):
        store.put(key, key.encode())
    listed = pl.concat(list(ImageListing(store.root, store.storage)))
    batch = listed.with_columns(image_id=pl.col("uri")).drop("path").to_arrow()
    fetched = fetch_images(batch, fetch=FetchSettings(), storage=store.storage)
    assert fetched["failure"].null_count == 3
    assert [data.decode() for data in fetched["data"].to_pylist()] == listed["path"].to_list()


def test_a_missing_or_empty_prefix_and_a_missing_bucket_are_named(bucket: Store) -> None:
    with pytest.raises(InputError, match="holds no object"):
        list(ImageListing(bucket.url("nothing"), bucket.storage))
    with pytest.raises(StorageError, match="there is no bucket s3://no-such-bucket"):
        list(ImageListing("s3://no-such-bucket/x", bucket.storage))


def test_pipes_links_to_nowhere_and_names_that_are_no_text_do_not_stop_a_listing(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    (tmp_path / "a.jpg").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    images = ImageListing(str(tmp_path), StorageSettings())
    assert [path for frame in images for path in frame["path"]] == ["a.jpg"]
    assert images.left_out == {"name is not UTF-8": 1}

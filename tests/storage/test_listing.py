from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import StorageSettings
from pipeline.errors import InputError
from pipeline.storage import listing
from pipeline.storage.listing import ImageListing, image_id

KEYS = st.lists(st.text("abAB01_/~é.", min_size=1, max_size=6), unique=True, max_size=60)


class Bucket:
    """A store that lists as S3 does: in code point order, after a key, so many at a time."""

    def __init__(self, keys: list[str], page: int) -> None:
        self.keys, self.page, self.requests = sorted(keys), page, 0

    def call_s3(
        self, _operation: str, *, Bucket: str, Prefix: str, MaxKeys: int, StartAfter: str = ""
    ) -> dict:
        self.requests += 1
        found = [key for key in self.keys if key.startswith(Prefix) and key > StartAfter]
        return {
            "Contents": [{"Key": key} for key in found[: self.page]],
            "IsTruncated": len(found) > self.page,
        }


def list_all(bucket: Bucket, prefix: str = "") -> list[str]:
    waiting, found = [listing._Range("", "", None)], []
    while waiting:
        objects, rest = listing._list_range(bucket, "b", prefix, waiting.pop())
        found += [entry["Key"] for entry in objects]
        waiting += rest
    return found


@settings(deadline=None)
@given(keys=KEYS, page=st.integers(1, 4))
def test_cutting_a_prefix_into_ranges_lists_each_key_once(keys, page) -> None:
    assert Counter(list_all(Bucket(keys, page))) == Counter(keys)


def test_numbered_keys_are_cut_into_ranges_that_run_side_by_side() -> None:
    keys = [f"photos/img_{number:06}.jpg" for number in range(20_000)]
    bucket = Bucket(keys, 100)
    objects, rest = listing._list_range(bucket, "b", "photos/", listing._Range("", "", None))
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

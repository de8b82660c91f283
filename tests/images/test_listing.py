"""The images below a folder or prefix, told from other files by their extensions."""

import os
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.images.listing import ImageListing, image_id
from laketag.pipeline.stages.fetch_images import fetch_images
from tests.stores.store import Store


def test_a_folder_is_listed_in_order_with_versions_and_relative_paths(tmp_path: Path) -> None:
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


def test_a_source_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        list(ImageListing(str(tmp_path / "missing"), StorageSettings()))


def test_an_image_id_is_the_blake2b_128_of_the_uri() -> None:
    assert (
        image_id("/images/a.jpg") == "b15a58dc35a172a5948cf3ffda6d31c0"
    )  # printf %s /images/a.jpg | b2sum -l 128


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


def test_only_what_is_below_the_prefix_and_no_image_by_extension_is_left_out(bucket: Store) -> None:
    for key in ("in/a b+c.PNG", "in/x//double.gif", "in/notes.txt", "in/.hidden/x.jpg", "inside/other.jpg"):
        bucket.put(key, b"12345")
    images = ImageListing(bucket.url("in"), bucket.storage)
    found = pl.concat(list(images))
    assert sorted(found["uri"]) == [bucket.url("in/a b+c.PNG"), bucket.url("in/x//double.gif")]
    assert images.left_out == {".txt": 1}


def test_a_name_that_is_no_text_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    images = ImageListing(str(tmp_path), StorageSettings())
    assert [path for frame in images for path in frame["path"]] == ["a.jpg"]
    assert images.left_out == {"name is not UTF-8": 1}

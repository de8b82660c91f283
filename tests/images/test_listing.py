"""The images below a folder or prefix, told from other files by their extensions."""

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.images.findings import LeftOut
from laketag.pipeline.images.listing import ImageListing, ListingRules, image_id
from laketag.pipeline.stages.fetch_images import fetch_images
from laketag.pipeline.store.schemes import open_filesystem
from tests.images.decoding import encode, gradient
from tests.stores.store import Store

JPEG = encode(gradient(8, 8), "JPEG")
RAW_PHOTOGRAPH = encode(gradient(8, 8), "TIFF")


def list_images(folder: Path, **rules: object) -> tuple[list[str], dict[str, str]]:
    """The paths of the images, and of what is left out with its reason."""
    left_out: dict[str, str] = {}
    told = LeftOut(left_out.__setitem__)
    images = ImageListing(str(folder), StorageSettings(), ListingRules(**rules), told)
    found = [path for frame in images for path in frame["path"]]
    assert told.files == Counter(left_out.values())
    assert told.unreadable == [path for path, reason in left_out.items() if reason == "folder not readable"]
    return found, left_out


@contextmanager
def as_a_user_without_rights() -> Iterator[None]:
    """Root may read everything, so it stops being root for a while."""
    was = os.geteuid()
    os.seteuid(was or 65534)
    try:
        yield
    finally:
        os.seteuid(was)


def put(folder: Path, *names: str, data: bytes = JPEG) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


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
    assert images.left_out.files == {".txt": 1, "no extension": 1, "hidden": 2}
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
    assert images.left_out.files == {".txt": 1, "hidden": 1}


def test_a_name_that_is_no_text_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    images = ImageListing(str(tmp_path), StorageSettings())
    assert [path for frame in images for path in frame["path"]] == ["a.jpg"]
    assert images.left_out.files == {"name is not UTF-8": 1}


def test_folders_of_systems_are_left_out_and_counted(tmp_path: Path) -> None:
    put(tmp_path, "@eaDir/x.jpg/T.jpg", "__MACOSX/x.jpg", "#recycle/x.jpg", "x.jpg")
    found, left_out = list_images(tmp_path)
    assert found == ["x.jpg"]
    assert left_out == {
        "@eaDir/": "in @eaDir",
        "__MACOSX/": "in __MACOSX",
        "#recycle/": "in #recycle",
    }


def test_globs_leave_out_files_and_folders(tmp_path: Path) -> None:
    put(tmp_path, "a/thumbs/1.jpg", "thumbs/2.jpg", "b/3.jpg", "b/4_small.jpg")
    found, left_out = list_images(tmp_path, exclude=("thumbs", "*_small.jpg"))
    assert found == ["b/3.jpg"]
    assert left_out == {
        "a/thumbs/": "--exclude thumbs",
        "thumbs/": "--exclude thumbs",
        "b/4_small.jpg": "--exclude *_small.jpg",
    }


def test_a_file_whose_name_does_not_tell_is_an_image_by_its_content(tmp_path: Path) -> None:
    put(tmp_path, "0a1b", "photo.jpg_original", "card.insp")
    put(tmp_path, "notes.txt", "P1", data=b"P1 is what we do first")
    put(tmp_path, "empty", data=b"")
    put(tmp_path, "photo.nef", "scan", data=RAW_PHOTOGRAPH)
    found, left_out = list_images(tmp_path)
    assert found == ["0a1b", "card.insp", "photo.jpg_original", "scan"]
    assert left_out == {
        "notes.txt": ".txt",
        "P1": "no extension",
        "empty": "no extension",
        "photo.nef": ".nef",
    }
    assert list_images(tmp_path, by_content=False)[0] == []


@pytest.mark.parametrize(
    "data",
    [b"P1 2024 open bugs", b"P2 0 open bugs", b"\xff\x0a and more", RAW_PHOTOGRAPH],
    ids=["pbm", "pgm", "jpeg-xl", "tiff"],
)
def test_a_beginning_that_other_files_share_is_no_image_under_their_extensions(
    tmp_path: Path, data: bytes
) -> None:
    put(tmp_path, "minutes.txt", "notes.md", "image", data=data)
    assert list_images(tmp_path) == (["image"], {"minutes.txt": ".txt", "notes.md": ".md"})


@pytest.mark.parametrize("by_content", [True, False])
def test_downloads_in_progress_are_left_out_and_counted(tmp_path: Path, by_content: bool) -> None:
    names = ("b.jpg.crdownload", "b.jpg.part", "b.jpg.download", "b.TMP")
    put(tmp_path, "a.jpg", *names)
    found, left_out = list_images(tmp_path, by_content=by_content)
    assert found == ["a.jpg"]
    assert left_out == dict.fromkeys(names, "download in progress")


def test_an_unreadable_folder_is_left_out_by_its_name() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for their owner alone
        folder = Path(name)
        put(folder, "1.jpg", "2.jpg", "locked/3.jpg")
        folder.chmod(0o755)
        (folder / "locked").chmod(0)
        with as_a_user_without_rights():
            found, left_out = list_images(folder)
    assert found == ["1.jpg", "2.jpg"]
    assert left_out == {"locked/": "folder not readable"}


def test_a_file_without_extension_that_may_not_be_read_is_not_taken_for_another_kind_of_file() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        put(folder, "1", "2")
        folder.chmod(0o755)
        (folder / "2").chmod(0)
        with as_a_user_without_rights():
            assert list_images(folder) == (["1"], {"2": "file not readable"})


def test_circles_of_links_and_links_to_nowhere_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/over").symlink_to(tmp_path / "b")
    (tmp_path / "b/over").symlink_to(tmp_path / "a")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "missing.jpg")
    found, left_out = list_images(tmp_path)
    assert found == ["a/1.jpg", "a/over/2.jpg", "b/2.jpg", "b/over/1.jpg"]
    assert set(left_out.values()) == {"link to a folder above", "broken link"}
    assert {path for path in left_out if not path.endswith("up")} == {
        "a/over/over",
        "b/over/over",
        "gone.jpg",
    }


@pytest.mark.parametrize("name", ["d", "folders-with-long-names"])
def test_eleven_hundred_nested_folders_end_no_listing(tmp_path: Path, name: str) -> None:
    """Python nests 1,000 calls, and Linux takes paths of 4,096 bytes; what lies deeper is named."""
    put(tmp_path, "x.jpg")
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir(name, dir_fd=folder)
        above, folder = folder, os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(above)
    os.close(os.open("deep.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    try:
        found, left_out = list_images(tmp_path)
    finally:
        subprocess.run(["rm", "-r", tmp_path / name], check=True)  # shutil nests calls
    if name == "d":
        assert found == ["/".join([*["d"] * 1100, "deep.jpg"]), "x.jpg"]
    else:
        assert found == ["x.jpg"]
        assert set(left_out.values()) == {"folder not readable"}


def test_a_store_is_looked_into_only_when_asked(bucket: Store) -> None:
    for key in ("in/x.jpg", "in/0a1b", "in/a//odd", "in/@eaDir/x.jpg/T.jpg"):
        bucket.put(key, JPEG)
    bucket.put("in/notes.txt", b"text")
    for by_content, expected in ((None, ["x.jpg"]), (True, ["0a1b", "a//odd", "x.jpg"])):
        images = ImageListing(bucket.url("in"), bucket.storage, ListingRules(by_content=by_content))
        assert sorted(path for frame in images for path in frame["path"]) == expected
        assert images.left_out.files["in @eaDir"] == 1
        assert images.left_out.files[".txt"] == 1


def test_marks_of_folders_and_old_versions_are_no_images(bucket: Store) -> None:
    """Consoles make ``folder/``; a bucket with versions lists what is current, and not what was removed."""
    filesystem, root = open_filesystem(bucket.root, bucket.storage)
    filesystem.call_s3("put_bucket_versioning", Bucket=root, VersioningConfiguration={"Status": "Enabled"})
    for key in ("in/", "in/a/", "in/photos.jpg/", "in/a/x.jpg", "in/a/x.jpg", "in/gone.jpg"):
        filesystem.call_s3(
            "put_object", Bucket=root, Key=key, Body=b"" if key.endswith("/") else key.encode()
        )
    filesystem.call_s3("delete_object", Bucket=root, Key="in/gone.jpg")
    images = ImageListing(bucket.url("in"), bucket.storage)
    found = pl.concat(list(images))
    assert found["path"].to_list() == ["a/x.jpg"]
    assert images.left_out.files == {}
    batch = found.with_columns(image_id=pl.col("uri")).drop("path").to_arrow()
    assert fetch_images(batch, fetch=FetchSettings(), storage=bucket.storage)["failure"].null_count == 1
    for version in filesystem.call_s3("list_object_versions", Bucket=root).get("Versions", []):
        filesystem.call_s3("delete_object", Bucket=root, Key=version["Key"], VersionId=version["VersionId"])
    for mark in filesystem.call_s3("list_object_versions", Bucket=root).get("DeleteMarkers", []):
        filesystem.call_s3("delete_object", Bucket=root, Key=mark["Key"], VersionId=mark["VersionId"])

"""Images are indexed and read from any scheme that fsspec knows, and tables of images, too."""

from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.images.image_locations import embedded_uri
from laketag.pipeline.images.listing import ImageListing, LeftOut
from laketag.pipeline.store.fsspec_files import open_reader, why_not_installed
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.looks import find_version
from tests.images.indexing import fetched
from tests.images.reading import put_table, read, read_one, with_settings
from tests.stores.folder_filesystem import AT_ONCE, OneConnection, register
from tests.stores.store import Store, folder_store


@pytest.fixture
def other(tmp_path: Path) -> Store:
    """A store of another scheme, in which nothing but files of pictures is."""
    register()
    for name in ("a/1.jpg", "a/b c+#/é.png", "locked/2.jpg", "@eaDir/3.jpg", "notes.txt"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return Store("folder", f"folder://{tmp_path}", StorageSettings())


def test_images_are_listed_with_versions_and_read(other: Store) -> None:
    left_out: dict[str, str] = {}
    found = pl.concat(ImageListing(other.root, other.storage, left_out=LeftOut(left_out.__setitem__)))
    assert sorted(found["path"]) == ["a/1.jpg", "a/b c+#/é.png"]
    assert left_out == {"locked/": "folder not readable", "@eaDir/": "in @eaDir", "notes.txt": ".txt"}
    assert sorted(found["uri"]) == [other.url("a/1.jpg"), other.url("a/b c+#/é.png")]
    assert sorted(str(data) for data in fetched(other, found)) == sorted(
        str(path.encode()) for path in found["path"]
    )
    versions = [find_version(parse_url(uri), other.storage).etag for uri in found["uri"]]
    assert versions == found["etag"].to_list()


def test_reads_fail_for_the_same_reasons_as_elsewhere(other: Store, tmp_path: Path) -> None:
    uri = other.url("a/1.jpg")
    etag = find_version(parse_url(uri), other.storage).etag
    (tmp_path / "zero.jpg").touch()
    assert [
        image.reason
        for image in read(
            other,
            (uri, "7-1"),
            (other.url("no.jpg"), "unknown"),
            (other.url("a"), "unknown"),
            (other.url("zero.jpg"), "unknown"),
        )
    ] == ["changed", "not_found", "not_found", "empty"]
    assert read_one(other, uri, etag, with_settings(max_bytes=3)).reason == "too_large"
    roots = with_settings(allowed_roots=(other.url("b"), str(tmp_path)))
    assert read_one(other, uri, etag, roots).reason == "outside_policy"
    assert read_one(other, uri, etag, with_settings(allowed_roots=(other.url("a"),))).reason is None


def test_tables_of_images_are_read(other: Store, tmp_path: Path) -> None:
    put_table(folder_store(tmp_path), "t.parquet", rows=12)
    uris = [embedded_uri(other.url("t.parquet"), "jpeg", row) for row in (0, 7)]
    first, empty = read(other, *((uri, "unknown") for uri in uris))
    assert first.data == b"image 0 " * 50
    assert empty.reason == "empty"


def test_what_is_missing_for_a_scheme_is_named() -> None:
    assert why_not_installed("nosuch") == "nosuch:// is no scheme that laketag or fsspec knows"
    assert "pip install" in str(why_not_installed("gdrive")) or "gdrive_fs" in str(
        why_not_installed("gdrive")
    )
    image = read_one(Store("none", "", StorageSettings()), "smb://host/x.jpg")
    assert image.reason == "outside_policy"
    assert "smbprotocol" in image.detail


def test_a_scheme_that_needs_more_than_a_url_is_named() -> None:
    for scheme in ("zip", "simplecache", "dir"):
        with pytest.raises(SettingsError, match="names nothing by itself"):
            open_reader(parse_url(f"{scheme}://a/x.jpg")).find()


def test_a_filesystem_with_one_connection_is_used_by_one_thread_at_a_time(tmp_path: Path) -> None:
    register(OneConnection)
    rows = [(f"single://{tmp_path}/{number}.jpg", "unknown") for number in range(2 * AT_ONCE)]
    for number in range(len(rows)):
        (tmp_path / f"{number}.jpg").write_bytes(f"{number}".encode())
    images = read(Store("folder", f"single://{tmp_path}", StorageSettings()), *rows)
    assert [image.data for image in images] == [f"{number}".encode() for number in range(len(rows))]


def test_a_file_that_was_replaced_is_found_although_listings_are_remembered(tmp_path: Path) -> None:
    register(OneConnection)
    (tmp_path / "x.jpg").write_bytes(b"old")
    location = parse_url(f"single://{tmp_path}/x.jpg")
    assert find_version(location, StorageSettings()).etag.startswith("3-")
    (tmp_path / "x.jpg").write_bytes(b"newer")
    assert find_version(location, StorageSettings()).etag.startswith("5-")


def test_reads_that_hang_end_at_the_deadline_and_hold_up_no_other(other: Store) -> None:
    """More of them than a pool of threads would have."""
    hanging = [(other.url(f"hang/{number}.jpg"), "unknown") for number in range(40)]
    good = (other.url("a/1.jpg"), "unknown")
    *hung, image = read(other, *hanging, good, settings=with_settings(deadline_s=1.0))
    assert {image.reason for image in hung} == {"timeout"}
    assert image.data == b"a/1.jpg"

"""Files that are written piece by piece, on every store."""

from pathlib import Path

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.schemes import open_filesystem
from laketag.pipeline.store.streamed_write import replace_file
from tests.stores.store import Store

MANY_PARTS_BYTES = 60 * 2**20
"""More than s3fs keeps before it begins an upload in parts."""


@pytest.mark.parametrize("size_bytes", [0, 3, MANY_PARTS_BYTES])
def test_the_new_content_replaces_the_old(store: Store, size_bytes: int) -> None:
    url = store.put("out/rows.csv", b"old")
    with replace_file(url, store.storage) as file:
        file.write(bytes(size_bytes // 2))
        assert store.get("out/rows.csv") == b"old"
        file.write(bytes(size_bytes - size_bytes // 2))
    assert store.get("out/rows.csv") == bytes(size_bytes)


@pytest.mark.parametrize("size_bytes", [3, MANY_PARTS_BYTES])
def test_after_an_error_in_the_middle_the_old_content_is_there_and_nothing_else(
    store: Store, size_bytes: int
) -> None:
    urls = store.put("out/rows.csv", b"old"), store.url("out/new.csv")

    def write_and_fail(url: str) -> None:
        with replace_file(url, store.storage) as file:
            file.write(bytes(size_bytes))
            raise KeyboardInterrupt

    for url in urls:
        with pytest.raises(KeyboardInterrupt):
            write_and_fail(url)
    assert store.get("out/rows.csv") == b"old"
    filesystem, path = open_filesystem(store.root, store.storage)
    assert [name.rpartition("/")[2] for name in filesystem.find(path)] == ["rows.csv"]
    if hasattr(filesystem, "call_s3"):
        assert not filesystem.call_s3("list_multipart_uploads", Bucket=path).get("Uploads")


def test_a_folder_that_cannot_be_written_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for url in (tmp_path / "file" / "rows.csv", tmp_path):
        with (
            pytest.raises(StorageError, match=f"^{url}: "),
            replace_file(str(url), StorageSettings()) as file,
        ):
            file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_is_followed_and_the_file_gets_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with replace_file(str(tmp_path / "link.csv"), StorageSettings()) as file:
        file.write(b"new")
    (tmp_path / "plain").touch()
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"new"
    assert (tmp_path / "real.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode

"""Pipes, folders and unreadable files on a local disk are failures, and do not hang."""

import os
from pathlib import Path

import pytest

from tests.images.reading import read_one
from tests.stores.store import Store, folder_store


@pytest.fixture
def disk(tmp_path: Path) -> Store:
    return folder_store(tmp_path)


def test_a_pipe_named_like_an_image_does_not_hang_the_batch(disk: Store) -> None:
    os.mkfifo(disk.url("pipe.jpg"))
    assert read_one(disk, disk.url("pipe.jpg")).reason == "unsupported"


def test_a_folder_or_a_path_through_a_file_is_no_image(disk: Store) -> None:
    Path(disk.url("folder.jpg")).mkdir()
    disk.put("file", b"x")
    assert read_one(disk, disk.url("folder.jpg")).reason == "not_found"
    assert read_one(disk, disk.url("file/x.jpg")).reason == "not_found"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_forbidden(disk: Store) -> None:
    Path(disk.put("x.jpg", b"x")).chmod(0)
    assert read_one(disk, disk.url("x.jpg")).reason == "forbidden"

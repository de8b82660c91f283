"""A walk through a folder finds its regular files once, whatever else is in it."""

import os
from pathlib import Path

from laketag.pipeline.store.local_files import find_file_version, list_below
from laketag.pipeline.store.locations import Listed, parse_url


def walk(folder: Path) -> list[Listed]:
    return [file for page in list_below(parse_url(str(folder))) for file in page]


def test_files_are_found_in_order_with_their_versions(tmp_path: Path) -> None:
    for name in ("b/2", "a/1", "a/deep/er/3", ".hidden/4", "a/.5"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * len(name))
    found = walk(tmp_path)
    assert [file.path for file in found] == ["a/1", "a/deep/er/3", "b/2"]
    status = (tmp_path / "a/1").stat()
    assert found[0] == Listed(str(tmp_path / "a/1"), f"3-{status.st_mtime_ns}", 3, "a/1")
    assert find_file_version(parse_url(found[0].url)).etag == found[0].etag


def test_links_are_followed_but_no_circle_of_them(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1").write_bytes(b"x")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert [file.path for file in walk(tmp_path)] == ["a/1", "b/1"]


def test_pipes_and_broken_links_do_not_stop_a_walk(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "a").write_bytes(b"x")
    assert [file.path for file in walk(tmp_path)] == ["a"]


def test_a_file_that_is_not_there_has_an_unknown_version(tmp_path: Path) -> None:
    assert not find_file_version(parse_url(str(tmp_path / "missing"))).is_known

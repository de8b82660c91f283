"""A walk through a folder finds its regular files once, whatever else is in it."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from laketag.pipeline.store.local_files import find_file_version, list_below, why_unseen
from laketag.pipeline.store.locations import LeaveOut, Listed, Skipped, parse_url


def walk(folder: Path, leave_out: LeaveOut = lambda _: None) -> list[Listed | Skipped]:
    return [file for page in list_below(parse_url(str(folder)), leave_out) for file in page]


def put(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * len(name))


def test_files_are_found_in_order_with_their_versions(tmp_path: Path) -> None:
    put(tmp_path, "b/2", "a/1", "a/deep/er/3")
    found = walk(tmp_path)
    assert [file.path for file in found] == ["a/1", "a/deep/er/3", "b/2"]
    status = (tmp_path / "a/1").stat()
    assert found[0] == Listed(str(tmp_path / "a/1"), f"3-{status.st_mtime_ns}", 3, "a/1")
    assert find_file_version(parse_url(found[0].url)).etag == found[0].etag


def test_a_folder_that_is_left_out_is_not_entered(tmp_path: Path) -> None:
    put(tmp_path, "a/no/1", "b/2", "no/3")
    (tmp_path / "no").chmod(0)
    found = walk(tmp_path, lambda path: "unwanted" if path.endswith("no") else None)
    assert [file.path for file in found] == ["a/no/", "b/2", "no/"]
    assert found[0] == Skipped("a/no/", "unwanted")


def test_what_vanishes_after_its_name_was_read_was_not_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "a/1", "b/2", "c")

    def unmount(path: str) -> None:
        if path == "a":
            shutil.rmtree(tmp_path / "a")
            (tmp_path / "c").unlink()

    assert [file.path for file in walk(tmp_path, unmount) if isinstance(file, Listed)] == ["b/2"]
    put(tmp_path, "a/1", "c")
    skipped = [file for file in walk(tmp_path, unmount) if isinstance(file, Skipped)]
    assert skipped == [Skipped("a/", "folder not readable"), Skipped("c", "file not readable")]


def test_links_are_followed_but_no_circle_of_them(tmp_path: Path) -> None:
    put(tmp_path, "a/1")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    found = walk(tmp_path)
    assert [file.path for file in found if isinstance(file, Listed)] == ["a/1", "b/1"]
    assert [file for file in found if isinstance(file, Skipped)] == [
        Skipped("a/up", "link to a folder above"),
        Skipped("b/up", "link to a folder above"),
    ]


def test_pipes_and_broken_links_do_not_stop_a_walk(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    put(tmp_path, "a")
    assert [file.path for file in walk(tmp_path) if isinstance(file, Listed)] == ["a"]
    assert walk(tmp_path)[1:] == [Skipped("itself", "broken link"), Skipped("nowhere", "broken link")]


def test_a_file_that_is_not_there_has_an_unknown_version(tmp_path: Path) -> None:
    put(tmp_path, "file")
    (tmp_path / "itself").symlink_to("itself")
    for name in ("missing", "file/below", "itself", "long" * 100):
        assert not find_file_version(parse_url(str(tmp_path / name))).is_known
        assert why_unseen(parse_url(str(tmp_path / name))) == "there is no such file"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_broken_disk_is_no_missing_file(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(path: object, **_: object) -> None:
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", stat)
        with pytest.raises(OSError, match=os.strerror(number)):
            find_file_version(parse_url(str(tmp_path)))


def test_a_file_that_this_user_may_not_see_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(path: object, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", stat)  # root may see everything
        assert not find_file_version(parse_url(str(tmp_path))).is_known
        assert why_unseen(parse_url(str(tmp_path))) == "this user may not read the file"

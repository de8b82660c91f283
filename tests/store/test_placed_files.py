"""Local files appear whole, whatever their filesystem cannot do; the answers of such filesystems are put into its calls."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store import placed_files
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.streamed_write import replace_file

STORAGE = StorageSettings()
MISSING = [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV]


def failing(number: int) -> Callable[..., object]:
    """A call of the system that this filesystem answers so."""

    def call(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("number", MISSING, ids=[errno.errorcode[number] for number in MISSING])
def test_without_hard_links_one_of_two_threads_creates_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", failing(number))
    both, answers = threading.Barrier(2), {}

    def create(content: bytes) -> None:
        both.wait()
        answers[content] = create_bytes(str(tmp_path / "file"), content, STORAGE)

    contents = [bytes([who]) * 100_000 for who in b"ab"]
    threads = [threading.Thread(target=create, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [False, True]
    assert answers[(tmp_path / "file").read_bytes()]
    assert names(tmp_path) == ["file"]


def test_a_link_whose_acknowledgement_is_lost_is_still_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS repeats the call, which meets the link that it made."""
    link = os.link

    def twice(*arguments: str) -> None:
        link(*arguments)
        link(*arguments)

    monkeypatch.setattr(os, "link", twice)
    assert create_bytes(str(tmp_path / "file"), b"ours", STORAGE)
    assert names(tmp_path) == ["file"]


def test_a_filesystem_on_which_no_file_can_be_created_exclusively_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Libc:
        """Of a system without renameat2."""

    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(placed_files.ctypes, "CDLL", lambda *_names, **_options: Libc())
    with pytest.raises(StorageError, match="neither hard links nor a rename that replaces nothing"):
        create_bytes(str(tmp_path / "file"), b"x", STORAGE)
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EEXIST, errno.EPERM, errno.EACCES])
def test_where_no_rename_replaces_a_file_it_is_replaced_nevertheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    rename = os.rename

    def only_to_new(old: str, new: str) -> None:
        if os.path.exists(new):  # noqa: PTH110
            raise OSError(number, os.strerror(number))
        rename(old, new)

    monkeypatch.setattr(os, "replace", only_to_new)
    for content in (b"old", b"new"):
        write_bytes(str(tmp_path / "file"), content, STORAGE)
        assert (tmp_path / "file").read_bytes() == content
    with replace_file(str(tmp_path / "file"), STORAGE) as file:
        file.write(b"newest")
    assert (tmp_path / "file").read_bytes() == b"newest"
    assert names(tmp_path) == ["file"]


def test_a_filesystem_that_cannot_sync_or_change_rights_holds_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    monkeypatch.setattr(os, "chmod", failing(errno.EPERM))
    write_bytes(str(tmp_path / "file"), b"x", STORAGE)
    assert create_bytes(str(tmp_path / "other"), b"x", STORAGE)


FULL = [
    (errno.ENOSPC, "no space is left on the disk that is mounted at /"),
    (errno.EDQUOT, "quota is used up"),
]


@pytest.mark.parametrize(("number", "said"), FULL, ids=["ENOSPC", "EDQUOT"])
def test_a_full_disk_is_named_and_nothing_is_left_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    (tmp_path / "old").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", failing(number))  # some filesystems find out only here

    def stream(url: str) -> None:
        with replace_file(url, STORAGE) as file:
            file.write(b"new")

    writes: list[Callable[[str], object]] = [
        lambda url: write_bytes(url, b"new", STORAGE),
        lambda url: create_bytes(url + "er", b"new", STORAGE),
        stream,
    ]
    for write in writes:
        with pytest.raises(StorageError, match=f"{said}.*free space there"):
            write(str(tmp_path / "old"))
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_a_disk_that_is_mounted_read_only_is_named_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "mkdir", failing(errno.EROFS))
    with pytest.raises(StorageError, match="mounted read-only"):
        write_bytes(str(tmp_path / "new" / "file"), b"x", STORAGE)

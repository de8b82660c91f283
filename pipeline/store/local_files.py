"""Files of this machine: their versions, and walks through folders."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator

from laketag.pipeline.store.locations import (
    BROKEN_LINK,
    UNREADABLE_FILE,
    UNREADABLE_FOLDER,
    LeaveOut,
    Listed,
    Location,
    Pages,
    Skipped,
)
from laketag.pipeline.store.versions import UNKNOWN, Version, version_of_file

PAGE_ROWS = 10_000
NOT_READABLE = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
NOT_THERE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)


def find_file_version(location: Location) -> Version:
    """The file's version; unknown if there is no such file or this user may not see it."""
    try:
        return version_of_file(os.stat(location.key))  # noqa: PTH116  # keys are strings
    except OSError as error:
        if error.errno not in (*NOT_THERE, *NOT_READABLE):  # a broken disk tells nothing about the file
            raise
        return Version(UNKNOWN)


def why_unseen(location: Location) -> str:
    """Why find_file_version gives no version."""
    try:
        os.stat(location.key)  # noqa: PTH116
    except PermissionError:
        return "this user may not read the file"
    except OSError:
        pass
    return "there is no such file"


def remove_folder(folder: Location) -> None:
    """The folder and everything in it do not exist any more."""
    shutil.rmtree(folder.key)


def list_below(folder: Location, leave_out: LeaveOut) -> Pages:
    """Pages of the regular files below a folder, sorted by name in each folder; and what is not entered or read, with why.

    Links are followed, except into a folder that contains them.
    """
    page: list[Listed | Skipped] = []
    for found in _walk(folder.key, leave_out):
        page.append(found)
        if len(page) == PAGE_ROWS:
            yield page
            page = []
    yield page


def _walk(top: str, leave_out: LeaveOut) -> Iterator[Listed | Skipped]:
    """Everything below the folder, without recursion: people nest folders deeper than Python nests calls."""
    above = [(iter(_entries(top)), _identity(os.stat(top)))]  # noqa: PTH116
    while above:
        entry = next(above[-1][0], None)
        if entry is None:
            above.pop()
            continue
        path = entry.path.removeprefix(top).lstrip("/")
        is_folder = entry.is_dir(follow_symlinks=False)
        try:
            status = entry.stat()
            if stat.S_ISREG(status.st_mode):
                yield Listed(entry.path, version_of_file(status).etag, status.st_size, path)
            if not stat.S_ISDIR(status.st_mode):  # pipes and devices contain no images
                continue
            is_folder = True
            if reason := leave_out(path):
                yield Skipped(f"{path}/", reason)
            elif any(_identity(status) == folder for _, folder in above):
                yield Skipped(path, "link to a folder above")
            else:
                above.append((iter(_entries(entry.path)), _identity(status)))
        except OSError as error:
            if error.errno not in (*NOT_READABLE, *NOT_THERE):  # a broken disk tells nothing about images
                raise
            if is_folder:  # also one that has vanished since its name was read
                yield Skipped(f"{path}/", UNREADABLE_FOLDER)
            elif entry.is_symlink() and error.errno in NOT_THERE:
                yield Skipped(path, BROKEN_LINK)
            else:
                yield Skipped(path, UNREADABLE_FILE)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino

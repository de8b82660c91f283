"""Local files that appear whole under their name: written beside it first, then renamed, on whatever filesystem."""

import ctypes
import errno
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from laketag.pipeline.errors import StorageError

UNSUPPORTED = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK, errno.EXDEV)
"""What filesystems answer to a call that they do not have: exFAT, mounts of SMB and FUSE, overlays."""
NO_RENAME_OVER = (*UNSUPPORTED, errno.EEXIST, errno.EACCES)
AT_FDCWD = -100
RENAME_NOREPLACE = 1  # linux/fs.h


@contextmanager
def placed_file(target: Path, place: Callable[[Path, Path], None]) -> Iterator[IO[bytes]]:
    """What the block writes is given its name by ``place``; the temporary file is gone, also after an error.

    The temporary name begins with a dot, so that no reader takes the file for a table.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            _sync(file)
        place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def replace(temporary: Path, target: Path) -> None:
    """The file has the target's name, instead of one that had it.

    Without a rename that replaces, a kill between the two steps loses the old file: call refuse_unsafe_replacing before you
    replace files that cannot be made again.
    """
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno not in NO_RENAME_OVER or not target.is_file():
            raise
        with suppress(FileNotFoundError):
            target.unlink()  # the rights to do so are those that the rename needs
        temporary.rename(target)


def refuse_unsafe_replacing(folder: Path) -> None:
    """The folder's filesystem replaces a file by one rename; otherwise StorageError, as a kill could lose both files."""
    folder.mkdir(parents=True, exist_ok=True)
    old, new = (folder / f".{uuid.uuid4().hex}.tmp" for _ in range(2))
    try:
        old.touch()
        new.touch()
        new.replace(old)
    except OSError as error:
        if error.errno not in NO_RENAME_OVER or not old.is_file():
            raise
        raise StorageError(
            f"{folder}: its filesystem cannot replace a file by renaming another one, so a process that is killed while it "
            "rewrites tables could lose rows that nothing brings back; nothing was changed. Copy the lake to another filesystem"
        ) from error
    finally:
        for file in (old, new):
            file.unlink(missing_ok=True)


def create(temporary: Path, target: Path) -> None:
    """The file has the target's name, which no file had; else FileExistsError, and that file is as it was.

    A hard link fails where the name exists, as does a rename that may replace nothing (renameat2). A StorageError where
    the filesystem has neither.
    """
    try:
        target.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _rename_to_new(temporary, target)


def _rename_to_new(temporary: Path, target: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):  # on Linux only
        number = errno.ENOSYS
    elif libc.renameat2(AT_FDCWD, os.fsencode(temporary), AT_FDCWD, os.fsencode(target), RENAME_NOREPLACE):
        number = ctypes.get_errno()
    else:
        return
    if number in UNSUPPORTED:
        raise StorageError(
            f"{target}: its filesystem has neither hard links nor a rename that replaces nothing, so two commands could both "
            "create one file and each take it for its own; keep the lake on another filesystem, or if this is a mounted "
            "bucket, name it by its URL"
        )
    raise OSError(number, os.strerror(number), str(target))


def _sync(file: IO[bytes]) -> None:
    """The content is on the disk, where the filesystem can tell."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise

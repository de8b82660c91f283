"""The folder of copies that all processes of a node share: each file downloaded once, and looked at before it is used."""

import fcntl
import hashlib
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from laketag.pipeline.errors import StorageError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile, sha256_of


def cache_folder() -> Path:
    """The folder of downloaded checkpoints: ``LAKETAG_CACHE``, or ``~/.cache/laketag``."""
    return Path(os.environ.get("LAKETAG_CACHE") or "~/.cache/laketag").expanduser()


def copy_once(
    read: Callable[[], Iterable[bytes]],
    name: str,
    *,
    expected: ExpectedSha256 | None,
    version: str | None,
    folder: Path,
) -> HashedFile:
    """The source's bytes lie in the folder as ``<sha256><suffix>``; of many callers at once, one reads the source.

    A copy counts if its content is what its name says. Copies are replaced whole, so callers hash them side by side,
    without a lock; who finds none, or a damaged one, takes the lock, and downloads unless that was done meanwhile.
    Without an expected SHA-256, the name and version stand for the one that they were downloaded with.
    ``read`` raises LaketagErrors: an OSError is taken for the folder's, and raised as a StorageError about it.
    """
    suffix = Path(name).suffix
    pointer = folder / f"{hashlib.blake2b(f'{name} {version}'.encode(), digest_size=16).hexdigest()}.sha256"
    key = expected.sha256 if expected else pointer.stem

    def known() -> str:  # empty: nothing is
        return expected.sha256 if expected else pointer.read_text() if pointer.is_file() else ""

    with _folder_errors(folder):
        while True:
            sha256 = known()
            copy = folder / f"{sha256}{suffix}"
            seen = _stamp(copy)
            if seen and sha256_of(copy) == sha256:
                return HashedFile(copy, sha256)
            with locked(folder, key):
                if (sha256, seen) != (known(), _stamp(copy)):
                    continue  # another process was here first: look again
                with _partial(folder, key) as partial:
                    sha256 = _download(read, partial)
                    if expected:
                        expected.check(sha256, name)
                    copy = partial.replace(folder / f"{sha256}{suffix}")
                    if not expected:
                        partial.write_text(sha256)
                        partial.replace(pointer)
                return HashedFile(copy, sha256)


@contextmanager
def locked(folder: Path, key: str) -> Iterator[None]:
    """No other process on this node is inside for the same folder and key; the lock dies with its holder."""
    with _folder_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{key}.lock").open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
    with file:
        yield


@contextmanager
def _partial(folder: Path, key: str) -> Iterator[Path]:
    """Where to write what is then renamed; nothing is left of it afterwards, nor of what killed processes left there."""
    for left in folder.glob(f".{key}.*.part"):
        left.unlink()
    partial = folder / f".{key}.{os.getpid()}.part"
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _download(read: Callable[[], Iterable[bytes]], target: Path) -> str:
    """The source lies in the file, on the disk; returns its SHA-256."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in read():
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells a file from the one that replaces it; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    """What the disk refuses inside becomes a StorageError about the folder."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the folder of downloaded weights, {folder} on {platform.node()}, cannot be used ({error.strerror or error}); "
            "make room there or change its rights, or set LAKETAG_CACHE to a folder that has both"
        ) from error

"""The folder of weights that all processes of a node share: each file is downloaded once and hashed before every use."""

import hashlib
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from laketag.pipeline.errors import StorageError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile, sha256_of

FIX = "set LAKETAG_CACHE, and HF_HOME for weights of the Hugging Face hub, to a folder that can be written"


def cache_folder() -> Path:
    """The folder of downloaded weights: ``LAKETAG_CACHE``, or ``~/.cache/laketag``."""
    named = os.environ.get("LAKETAG_CACHE") or "~/.cache/laketag"
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise StorageError(f"{named} is in the home folder, and this user has none; {FIX}") from None


def copy_once(
    read: Callable[[], Iterable[bytes]],
    name: str,
    *,
    expected: ExpectedSha256 | None,
    version: str | None,
    folder: Path,
) -> HashedFile:
    """The source's bytes are in the folder as ``<sha256><suffix>``; if many processes call at once, one of them downloads.

    Without an expected SHA-256, a pointer file remembers which one the name and version had when they were downloaded.
    A copy is used only if its content has the SHA-256 of its name; a damaged copy is downloaded again.
    ``read`` must raise LaketagErrors, because an OSError is taken for one of the folder and becomes a StorageError.
    """
    suffix = Path(name).suffix
    pointer = folder / f"{hashlib.blake2b(f'{name} {version}'.encode(), digest_size=16).hexdigest()}.sha256"
    key = expected.sha256 if expected else pointer.stem

    def find() -> HashedFile | None:
        sha256 = (
            expected.sha256 if expected else pointer.read_text(encoding="utf-8") if pointer.is_file() else ""
        )
        copy = folder / f"{sha256}{suffix}"
        return HashedFile(copy, sha256) if copy.is_file() and sha256_of(copy) == sha256 else None

    with _folder_errors(folder):
        if found := find():  # without the lock, so that processes hash side by side
            return found
        with locked(folder, key):
            if found := find():  # another process has downloaded it meanwhile
                return found
            with _partial(folder, key) as partial:
                sha256 = _download(read, partial)
                if expected:
                    expected.check(sha256, name)
                copy = partial.replace(folder / f"{sha256}{suffix}")
                if not expected:
                    partial.write_text(sha256, encoding="utf-8")
                    partial.replace(pointer)
            return HashedFile(copy, sha256)


@contextmanager
def locked(folder: Path, key: str) -> Iterator[None]:
    """No other process on this node holds the folder's lock of this key; a killed process releases it."""
    with _folder_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder / f"{key}.lock").acquire()
    with held:
        yield


@contextmanager
def _partial(folder: Path, key: str) -> Iterator[Path]:
    """A path to write and then rename; neither it nor a part file of a killed process is in the folder afterwards."""
    for left in folder.glob(f".{key}.*.part"):
        left.unlink()
    partial = folder / f".{key}.{os.getpid()}.part"
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _download(read: Callable[[], Iterable[bytes]], target: Path) -> str:
    """The source's bytes are in the file, synced to disk; returns their SHA-256."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in read():
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    """An OSError raised inside becomes a StorageError about the folder."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the folder of downloaded weights, {folder} on {platform.node()}, cannot be used ({error.strerror or error}); "
            f"make room there or change its rights, or {FIX}"
        ) from error

"""Checkpoint files: downloaded once per node, checked, never unpickled."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.config import StorageSettings
from pipeline.errors import ModelError

CHUNK_BYTES = 1 << 22


def cache_folder() -> Path:
    """The folder of downloaded checkpoints: ``LAKETAG_CACHE``, or ``~/.cache/laketag``."""
    return Path(os.environ.get("LAKETAG_CACHE") or "~/.cache/laketag").expanduser()


def local_copy(url_or_path: str, sha256: str | None, storage: StorageSettings) -> Path:
    """The file lies on this machine, with this SHA-256 if one is given.

    A local path is returned as it is. A remote file is downloaded into the cache once per node, however many
    processes ask at the same time, and kept under its SHA-256; without one given, the store's version of the object
    (ETag or time, size) tells whether the cached copy is still the right one.
    """
    if "://" not in url_or_path:
        path = Path(url_or_path).expanduser().absolute()
        if not path.is_file():
            raise ModelError(
                f"checkpoint {url_or_path} is not a file on this machine; name an existing one, or an s3:// URL"
            )
        check_sha256(path, sha256, url_or_path)
        return path

    from pipeline.storage.filesystems import open_filesystem, store_errors

    with store_errors(url_or_path):
        filesystem, inside = open_filesystem(url_or_path, storage)
        version = None if sha256 else str(_version(filesystem.info(inside)))
        return copy_once(
            lambda: filesystem.open(inside, "rb"),
            url_or_path,
            sha256=sha256,
            version=version,
            folder=cache_folder(),
        )


def copy_once(
    open_source: Callable[[], BinaryIO], name: str, *, sha256: str | None, version: str | None, folder: Path
) -> Path:
    """The source's bytes lie in the folder as ``<sha256><suffix>``; only the first of many callers reads the source."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = Path(name).suffix
    pointer = folder / f"{hashlib.blake2b(f'{name} {version}'.encode(), digest_size=16).hexdigest()}.sha256"
    key = sha256 or pointer.stem
    with _locked(folder / f"{key}.lock"):
        known = sha256 or (pointer.read_text() if pointer.is_file() else None)
        if known is not None and (folder / f"{known}{suffix}").is_file():
            return folder / f"{known}{suffix}"
        partial = folder / f".{key}.{os.getpid()}.part"
        try:
            digest = _copy(open_source, partial)
            if sha256 is not None and digest != sha256:
                raise _wrong_sha256(name, sha256, digest)
            partial.replace(folder / f"{digest}{suffix}")
        finally:
            partial.unlink(missing_ok=True)
        if sha256 is None:
            partial.write_text(digest)
            partial.replace(pointer)
        return folder / f"{digest}{suffix}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, sha256: str | None, name: str) -> None:
    """The file has this SHA-256, if one is given."""
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise _wrong_sha256(name, sha256, found)


def require_safetensors(name: str, setting: str) -> None:
    """The name is that of a safetensors file; other formats can run code when they are read."""
    if not name.endswith(".safetensors"):
        raise ModelError(
            f"{setting} = {name!r} is not a .safetensors file; other checkpoint formats are pickles that can run code, "
            "so laketag never reads them: convert it once with safetensors.torch.save_file and name the result"
        )


def _copy(open_source: Callable[[], BinaryIO], target: Path) -> str:
    digest = hashlib.sha256()
    with open_source() as source, target.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """No other process on this node is inside at the same time; the lock dies with its holder."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _version(info: dict[str, object]) -> list[str]:
    """What of a listing tells one version of an object from another."""
    return [str(info.get(key)) for key in ("ETag", "etag", "LastModified", "mtime", "size")]


def _wrong_sha256(name: str, wanted: str, found: str) -> ModelError:
    return ModelError(
        f"weights {name} have sha256 {found}, not {wanted} as the settings say; "
        "get the right file, or correct the sha256 setting if this file is meant"
    )

"""Checkpoint files: downloaded once per node, checked, never unpickled."""

from collections.abc import Iterator
from pathlib import Path

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile, sha256_of
from laketag.pipeline.models.node_cache import cache_folder, copy_once

CHUNK_BYTES = 1 << 22


def local_copy(url_or_path: str, expected: ExpectedSha256 | None, storage: StorageSettings) -> HashedFile:
    """The file lies on this machine, hashed just now, with the expected SHA-256 if there is one.

    A local path is used where it lies. A remote file is downloaded into the cache once per node, however many
    processes ask at the same time, and kept under its SHA-256; without an expected one, the store's version of the
    object (ETag or time, size) tells whether the cached copy is still the right one.
    """
    if "://" not in url_or_path:
        path = Path(url_or_path).expanduser().absolute()
        if not path.is_file():
            raise ModelError(
                f"checkpoint {url_or_path} is not a file on this machine; name an existing one, or an s3:// URL"
            )
        file = HashedFile(path, sha256_of(path))
        if expected is not None:
            expected.check(file.sha256, str(path))
        return file

    from laketag.pipeline.store.filesystems import open_filesystem, store_errors

    with store_errors(url_or_path):
        filesystem, inside = open_filesystem(url_or_path, storage)
        version = None if expected else str(_version(filesystem.info(inside)))

    def read() -> Iterator[bytes]:
        with store_errors(url_or_path), filesystem.open(inside, "rb") as source:
            while chunk := source.read(CHUNK_BYTES):
                yield chunk

    return copy_once(read, url_or_path, expected=expected, version=version, folder=cache_folder())


def require_safetensors(name: str, setting: str) -> None:
    """The name is that of a safetensors file; other formats can run code when they are read."""
    if not name.endswith(".safetensors"):
        raise ModelError(
            f"{setting} = {name!r} is not a .safetensors file; other checkpoint formats are pickles that can run code, "
            "so laketag never reads them: convert it once with safetensors.torch.save_file and name the result"
        )


def _version(info: dict[str, object]) -> list[str]:
    """What of a listing tells one version of an object from another."""
    return [str(info.get(key)) for key in ("ETag", "etag", "LastModified", "mtime", "size")]

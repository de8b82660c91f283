"""Weight files: on this machine, downloaded once per node, checked, never unpickled."""

from collections.abc import Iterator
from pathlib import Path

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile, sha256_of, used_files
from laketag.pipeline.models.node_cache import cache_folder, copy_once
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import expand_home
from laketag.pipeline.store.schemes import open_filesystem
from laketag.pipeline.store.versioned_file import open_file

CHUNK_BYTES = 1 << 22


def local_copy(url_or_path: str, expected: ExpectedSha256 | None, storage: StorageSettings) -> HashedFile:
    """The file is on this machine, hashed just now, with the expected SHA-256 if there is one.

    A local file is used where it is. A remote one is downloaded into the node's cache; without an expected SHA-256 the
    store's version of the object (ETag or time, and size) decides whether the cached copy is still the right one.
    """
    if "://" not in url_or_path:
        return _local_file(url_or_path, expected)
    version = None
    if not expected:
        used_files.add(url_or_path)
        version = remote_version(url_or_path, storage)

    def read() -> Iterator[bytes]:
        with store_errors(url_or_path), open_file(url_or_path, storage) as source:
            while chunk := source.read(CHUNK_BYTES):
                yield chunk

    return copy_once(read, url_or_path, expected=expected, version=version, folder=cache_folder())


def remote_version(url: str, storage: StorageSettings) -> str:
    """The store's version of the object: ETag or time, and size."""
    with store_errors(url):
        filesystem, inside = open_filesystem(url, storage)
        return str(_version(filesystem.info(inside)))


def _local_file(name: str, expected: ExpectedSha256 | None) -> HashedFile:
    path = expand_home(name)
    if not path.is_file():
        raise ModelError(
            f"checkpoint {name} is not a file on this machine; name an existing one, or an s3:// URL"
        )
    file = HashedFile(path, sha256_of(path))
    if expected is not None:
        expected.check(file.sha256, str(path))
    return file


def require_safetensors(name: str, setting: str) -> None:
    """ModelError unless the name is that of a safetensors file; reading other formats can run code."""
    if not name.endswith(".safetensors"):
        raise ModelError(
            f"{setting} = {name!r} is not a .safetensors file; other checkpoint formats are pickles that can run code, "
            "so laketag never reads them: convert it once with safetensors.torch.save_file and name the result"
        )


def do_not_fit(path: Path, model: str, setting: str, error: Exception) -> ModelError:
    """The error for weights that another architecture was trained with than the setting names."""
    return ModelError(
        f"weights {path} do not fit {model} ({' '.join(str(error).split())[:300]}); "
        f"set {setting} to the architecture that they were trained with"
    )


def _version(info: dict[str, object]) -> list[str]:
    """The entries of a listing that tell one version of an object from another."""
    return [str(info.get(key)) for key in ("ETag", "etag", "LastModified", "mtime", "size")]

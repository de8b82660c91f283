"""Reading and removing small files of our own; laketag.pipeline.store.atomic_write writes them."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.outages import on_filesystem

READS_AT_ONCE = 16


def read_json(url: str, storage: StorageSettings) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no such file, a StorageError if its content is no JSON."""

    def read(filesystem: Any, path: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return bytes(filesystem.cat_file(path))
        return None

    data = on_filesystem(url, storage, read)
    if data is None:
        return None
    try:
        content: dict[str, Any] = json.loads(data)
    except ValueError:
        raise StorageError(
            f"{url}: is no JSON ({len(data)} bytes), though laketag writes it whole; "
            "remove it and run the same command again"
        ) from None
    return content


def read_files(urls: Sequence[str], storage: StorageSettings) -> list[bytes]:
    """The whole content of each file, by one request for each; a FileNotFoundError if one is gone."""

    def read(url: str) -> bytes:
        def read_once(filesystem: Any, path: str) -> bytes | FileNotFoundError:
            try:
                return bytes(filesystem.cat_file(path))
            except FileNotFoundError as error:
                return error

        found = on_filesystem(url, storage, read_once)
        if isinstance(found, FileNotFoundError):
            raise found  # outside, where it stays what it is
        return found

    if len(urls) <= 1:
        return [read(url) for url in urls]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return list(pool.map(read, urls))


def remove_file(url: str, storage: StorageSettings) -> None:
    """The file does not exist any more, or never did."""

    def remove(filesystem: Any, path: str) -> None:
        with suppress(FileNotFoundError):
            filesystem.rm_file(path)

    on_filesystem(url, storage, remove)

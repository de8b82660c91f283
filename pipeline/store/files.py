"""Reading and removing single small files of our own; laketag.pipeline.store.atomic_write writes them."""

import json
from contextlib import suppress
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import open_filesystem


def read_json(url: str, storage: StorageSettings) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no such file, a StorageError if its content is no JSON."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url):
        try:
            data = filesystem.cat_file(path)
        except FileNotFoundError:
            return None
    try:
        content: dict[str, Any] = json.loads(data)
    except ValueError:
        raise StorageError(
            f"{url}: is no JSON ({len(data)} bytes), though laketag writes it whole; "
            "remove it and run the same command again"
        ) from None
    return content


def remove_file(url: str, storage: StorageSettings) -> None:
    """The file does not exist any more, or never did."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url), suppress(FileNotFoundError):
        filesystem.rm_file(path)

"""What lies in a folder of the lake, and its removal."""

import json
from contextlib import suppress
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.filesystems import is_remote, open_filesystem, store_errors


def list_files(folder: str, storage: StorageSettings, suffix: str = ".parquet") -> list[str]:
    """URLs of all files with the suffix below the folder, sorted; none if there is no such folder.

    Names beginning with a dot are files in the making and are left out.
    """
    filesystem, path = open_filesystem(folder, storage)
    with store_errors(folder):
        found = filesystem.find(path)
    prefix = "s3://" if is_remote(folder) else ""
    return sorted(
        prefix + name
        for name in found
        if name.endswith(suffix) and not name.rpartition("/")[2].startswith(".")
    )


def list_folders(folder: str, storage: StorageSettings) -> list[str]:
    """Names of the folders directly in the folder, sorted; none if there is no such folder."""
    filesystem, path = open_filesystem(folder, storage)
    with store_errors(folder):
        if not filesystem.isdir(path):
            return []
        entries = filesystem.ls(path, detail=True)
    return sorted(
        entry["name"].rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == "directory"
    )


def remove_folder(folder: str, storage: StorageSettings) -> None:
    """The folder and all below it are gone, also if they were never there."""
    filesystem, path = open_filesystem(folder, storage)
    with store_errors(folder), suppress(FileNotFoundError):
        filesystem.rm(path, recursive=True)


def remove_file(url: str, storage: StorageSettings) -> None:
    """The file is gone, also if it was never there."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url), suppress(FileNotFoundError):
        filesystem.rm_file(path)


def read_json(url: str, storage: StorageSettings) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no such file, a StorageError if it holds something else."""
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
            f"{url}: is no JSON ({len(data)} bytes), though laketag writes it whole; remove it and run the same command again"
        ) from None
    return content

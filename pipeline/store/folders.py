"""Listing and removing folders of our own tables; images are listed by laketag.pipeline.images."""

from contextlib import suppress

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.schemes import open_filesystem, remove_below


def list_files(folder: str, storage: StorageSettings, suffix: str = ".parquet") -> list[str]:
    """URLs of all files with the suffix below the folder, sorted; none if there is no such folder.

    A name that begins with a dot is that of an unfinished file, and is left out.
    """
    filesystem, path = open_filesystem(folder, storage)
    with store_errors(folder):
        found = filesystem.find(path)
    location = parse_url(folder)
    prefix = "" if location.is_local else f"{location.scheme}://"
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
    """The folder and everything below it do not exist any more, or never did."""
    with store_errors(folder), suppress(FileNotFoundError):
        remove_below(parse_url(folder), storage)

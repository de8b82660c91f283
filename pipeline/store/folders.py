"""Listing and removing folders of our own tables; images are listed by laketag.pipeline.images."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.outages import on_filesystem, through_outages
from laketag.pipeline.store.schemes import remove_below


def list_files(folder: str, storage: StorageSettings, suffix: str = ".parquet") -> list[str]:
    """URLs of all files with the suffix below the folder, sorted; none if there is no such folder.

    A name that begins with a dot is that of an unfinished file, and is left out.
    """

    files = (file.url for file in list_everything(folder, storage))
    return [url for url in files if url.endswith(suffix) and not url.rpartition("/")[2].startswith(".")]


@dataclass(frozen=True)
class StoredFile:
    """A file as its store lists it."""

    url: str
    size_bytes: int
    modified: datetime | None
    """None if the store does not tell."""


def list_everything(folder: str, storage: StorageSettings) -> list[StoredFile]:
    """All files below the folder, also unfinished ones whose name begins with a dot, sorted; none if there is no such folder."""

    location = parse_url(folder)

    def find(filesystem: Any, path: str) -> list[dict[str, Any]]:
        if location.is_local:
            return list(_walk(filesystem, path))
        return [entry | {"name": name} for name, entry in filesystem.find(path, detail=True).items()]

    found = on_filesystem(folder, storage, find)
    prefix = "" if location.is_local else f"{location.scheme}://"
    files = [
        StoredFile(prefix + entry["name"], int(entry.get("size") or 0), _modified(entry)) for entry in found
    ]
    return sorted(files, key=lambda file: file.url)


def _walk(filesystem: Any, path: str) -> Iterator[dict[str, Any]]:
    """All files below the folder; errors of the disk are raised, where fsspec's ``find`` leaves out what cannot be listed."""
    for entry in _list(filesystem, path):
        if entry["type"] == "directory":
            yield from _walk(filesystem, entry["name"])
        else:
            yield entry


def _list(filesystem: Any, path: str) -> list[dict[str, Any]]:
    """What is directly in the folder; nothing if there is no such folder."""
    try:
        return list(filesystem.ls(path, detail=True))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _modified(entry: dict[str, Any]) -> datetime | None:
    time = entry.get("LastModified", entry.get("mtime"))
    if isinstance(time, float | int):
        return datetime.fromtimestamp(time, UTC)
    return time if isinstance(time, datetime) else None


def list_folders(folder: str, storage: StorageSettings) -> list[str]:
    """Names of the folders directly in the folder, sorted; none if there is no such folder."""
    entries = on_filesystem(folder, storage, _list)
    return sorted(
        entry["name"].rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == "directory"
    )


def remove_folder(folder: str, storage: StorageSettings) -> None:
    """The folder and everything below it do not exist any more, or never did."""

    def remove() -> None:
        with suppress(FileNotFoundError):
            remove_below(parse_url(folder), storage)

    through_outages(folder, storage, remove)

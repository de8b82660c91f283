"""One function opens a store, and one table says how the stores of each URL scheme are reached."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store import local_files, s3_clients
from laketag.pipeline.store.locations import LOCAL, LeaveOut, Listed, Location, Skipped, parse_url
from laketag.pipeline.store.s3_access import resolve_access
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.s3_objects import find_object_version, list_objects
from laketag.pipeline.store.versions import UNKNOWN, Version


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How the stores of one URL scheme are reached."""

    filesystem: Callable[[StorageSettings], Any]
    """Opens an fsspec filesystem, for our tables and for whatever has no faster way."""
    polars_options: Callable[[StorageSettings], dict[str, str]]
    list_below: Callable[[Location, StorageSettings, LeaveOut], Iterator[Sequence[Listed | Skipped]]]
    find_version: Callable[[Location, StorageSettings], Version]
    bucket: Callable[[str, StorageSettings, Requests], Any] | None = None
    """Opens an obstore client, for many reads of whole objects."""


SCHEMES = {
    LOCAL: Scheme(
        filesystem=lambda _: LocalFileSystem(auto_mkdir=True),
        polars_options=lambda _: {},
        list_below=lambda folder, _, leave_out: local_files.list_below(folder, leave_out),
        find_version=lambda location, _: local_files.find_file_version(location),
    ),
    "s3": Scheme(
        filesystem=lambda storage: s3_clients.open_s3fs(resolve_access(storage)),
        polars_options=lambda storage: s3_clients.polars_options(resolve_access(storage)),
        list_below=lambda folder, storage, _: list_objects(folder, storage),
        find_version=find_object_version,
        bucket=lambda bucket, storage, requests: s3_clients.open_obstore(
            bucket, resolve_access(storage), requests
        ),
    ),
}

SAME_SCHEMES = {"s3a": "s3", "s3n": "s3"}
"""Other names of schemes, which Hadoop writes."""


def is_remote(url: str) -> bool:
    """Whether the URL names something in an object store."""
    scheme = parse_url(url).scheme
    return scheme in SCHEMES and scheme != LOCAL


def normalise_url(path_or_url: str) -> str:
    """``s3://bucket/prefix`` without a slash at its end, or the absolute POSIX path of something local."""
    location = parse_url(path_or_url)
    if location.scheme not in SCHEMES or (not location.is_local and not location.bucket):
        raise SettingsError(
            f"{path_or_url!r} is no place that laketag knows; give a local path or s3://bucket/prefix"
        )
    if not location.is_local:
        return path_or_url.rstrip("/")
    if location.key != path_or_url:  # file://
        return Path(location.key).as_posix()
    path = Path(path_or_url).expanduser().absolute()
    return (path.resolve() if ".." in path.parts else path).as_posix()


def open_filesystem(url: str, storage: StorageSettings) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem that holds the URL, with a blocking interface, and the URL's path inside it.

    No request is sent yet: wrap the filesystem's use in ``store_errors(url)``. Writing creates missing folders.
    """
    location = parse_url(normalise_url(url))
    return SCHEMES[location.scheme].filesystem(storage), location.path


def polars_options(url: str, storage: StorageSettings) -> dict[str, str]:
    """The ``storage_options`` with which polars reaches the URL; they hold credentials: never print them."""
    return SCHEMES[parse_url(url).scheme].polars_options(storage)


def open_bucket(location: Location, storage: StorageSettings, requests: Requests) -> Any:
    """The obstore client of the bucket that holds the object, for any thread or event loop."""
    opener = SCHEMES[location.scheme].bucket
    assert opener is not None, f"{location.url} is in no bucket"
    return opener(location.bucket, storage, requests)


def list_below(
    folder: Location, storage: StorageSettings, leave_out: LeaveOut
) -> Iterator[Sequence[Listed | Skipped]]:
    """Pages of all files below the folder, for folders of any size; folders on this machine are left out unentered."""
    return SCHEMES[folder.scheme].list_below(folder, storage, leave_out)


def read_start(location: Location, storage: StorageSettings, size_bytes: int) -> bytes:
    """The first bytes of a file or object; none if it is gone or may not be read."""
    try:
        if location.is_local:  # several times faster than through fsspec
            with open(location.key, "rb", buffering=0) as file:  # noqa: PTH123  # keys are strings
                return file.read(size_bytes)
        filesystem = SCHEMES[location.scheme].filesystem(storage)
        start: bytes = filesystem.cat_file(location.path, start=0, end=size_bytes)
    except (FileNotFoundError, PermissionError):
        return b""
    return start


def find_version(location: Location, storage: StorageSettings) -> Version:
    """The version of a file or object now; unknown if it does not exist, may not be seen or has another scheme."""
    scheme = SCHEMES.get(location.scheme)
    return scheme.find_version(location, storage) if scheme else Version(UNKNOWN)

"""One function opens a store, and one table says which client serves which URL scheme."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store import s3_clients
from laketag.pipeline.store.locations import LOCAL, Location, parse_url
from laketag.pipeline.store.s3_access import resolve_access
from laketag.pipeline.store.s3_clients import Requests


@dataclass(frozen=True)
class Scheme:
    """How stores of one URL scheme are reached, by library."""

    filesystem: Callable[[StorageSettings], Any]  # an fsspec filesystem
    polars_options: Callable[[StorageSettings], dict[str, str]]
    bucket: Callable[[str, StorageSettings, Requests], Any] | None = None  # an obstore client, for many GETs


SCHEMES = {
    LOCAL: Scheme(lambda _: LocalFileSystem(auto_mkdir=True), lambda _: {}),
    "s3": Scheme(
        lambda storage: s3_clients.open_s3fs(resolve_access(storage)),
        lambda storage: s3_clients.polars_options(resolve_access(storage)),
        lambda bucket, storage, requests: s3_clients.open_obstore(bucket, resolve_access(storage), requests),
    ),
}


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
    """The obstore client of the bucket that holds the location, for any thread or event loop."""
    opener = SCHEMES[location.scheme].bucket
    assert opener is not None, f"{location.url} is in no bucket"
    return opener(location.bucket, storage, requests)

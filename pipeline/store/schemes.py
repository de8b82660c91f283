"""One function opens a store, and one table says how the stores of each URL scheme are reached."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store import cloud_objects, fsspec_files, local_files, s3_clients, s3_objects
from laketag.pipeline.store.locations import (
    LOCAL,
    PASSWORD,
    WEB,
    LeaveOut,
    Location,
    Pages,
    expand_home,
    hide_password,
    parse_url,
)
from laketag.pipeline.store.readers import Reader
from laketag.pipeline.store.s3_buckets import bucket_access
from laketag.pipeline.store.s3_clients import Requests


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How the stores of one URL scheme are reached; what is None cannot be done there."""

    filesystem: Callable[[Location, StorageSettings], Any] | None = None
    """Opens an fsspec filesystem, for a lake's tables."""
    polars_options: Callable[[Location, StorageSettings], dict[str, str]] | None = None
    """Lets polars scan a lake's tables."""
    remove_below: Callable[[Location, StorageSettings], None] | None = None
    """Removes a folder of a lake's tables."""
    list_below: Callable[[Location, StorageSettings, LeaveOut], Pages] | None = None
    open_reader: Callable[[Location, StorageSettings, Requests], Reader] | None = None
    open_bucket: Callable[[Location, StorageSettings, Requests], Any] | None = None
    """Opens an obstore client, for many reads of whole objects."""
    names_any_key: bool = True
    """Whether files are read at keys that obstore cannot name, too, by another client."""


CLOUD = Scheme(
    names_any_key=False,
    list_below=lambda folder, storage, _: cloud_objects.list_objects(folder, storage),
    open_reader=cloud_objects.open_reader,
    open_bucket=cloud_objects.open_bucket,
)
AZURE = replace(
    CLOUD,
    filesystem=lambda location, storage: cloud_objects.open_filesystem(location.scheme, storage),
    polars_options=lambda _, storage: {"skip_signature": "true"} if storage.anonymous else {},
    remove_below=cloud_objects.remove_objects,
)
"""No lake on ``gs://``: no server on one machine shows that creating an object only if it is absent holds there."""
SCHEMES = {
    LOCAL: Scheme(
        filesystem=lambda _, __: LocalFileSystem(auto_mkdir=True),
        polars_options=lambda _, __: {},
        remove_below=lambda folder, _: local_files.remove_folder(folder),
        list_below=lambda folder, _, leave_out: local_files.list_below(folder, leave_out),
    ),
    "s3": Scheme(
        filesystem=lambda location, storage: s3_clients.open_s3fs(bucket_access(location.bucket, storage)),
        polars_options=lambda location, storage: s3_clients.polars_options(
            location.bucket, bucket_access(location.bucket, storage)
        ),
        remove_below=s3_objects.remove_objects,
        list_below=lambda folder, storage, _: s3_objects.list_objects(folder, storage),
        open_reader=s3_objects.open_reader,
        open_bucket=lambda location, storage, requests: s3_clients.open_obstore(
            location.bucket, bucket_access(location.bucket, storage), requests
        ),
    ),
    "gs": CLOUD,
    "az": AZURE,
    **dict.fromkeys(WEB, Scheme()),  # single images, read by laketag.pipeline.images.fetch_web
}
OTHER = Scheme(
    list_below=lambda folder, _, leave_out: fsspec_files.list_files(folder, leave_out),
    open_reader=lambda location, _, __: fsspec_files.open_reader(location),
)
"""Any other scheme that is installed in fsspec."""
ROOTS = "a folder, s3://bucket/prefix or az://container/prefix"
"""Where a lake may be."""


def why_unknown(location: Location) -> str | None:
    """Why nothing is read from this URL, by its scheme and key; None if images can be."""
    if not location.is_local and PASSWORD.match(location.url):
        return (
            "a URL with a password would be kept in the lake; leave the password out, and set it where the store's client "
            f"finds it (for fsspec: ~/.config/fsspec/*.json or FSSPEC_{location.scheme.upper()}_PASSWORD)"
        )
    if location.scheme not in SCHEMES:
        return fsspec_files.why_not_installed(location.scheme)
    if location.key and not (scheme_of(location).names_any_key or s3_clients.is_plain_key(location.key)):
        return f"keys with an empty part, '.', '..' or a control character are not read from {location.scheme}://"
    return None


def is_remote(url: str) -> bool:
    """Whether the URL names something in a store, and not on this machine."""
    return not parse_url(url).is_local


def normalise_url(path_or_url: str) -> str:
    """``s3://bucket/prefix`` without a slash at its end, or the absolute POSIX path of something local."""
    if "\0" in path_or_url:
        raise SettingsError(
            f"{path_or_url!r} has a NUL character, which no path has; write the path without it"
        )
    location = parse_url(path_or_url)
    if not location.is_local:
        location = replace(location, key=location.key.rstrip("/"))
    if reason := why_unknown(location):
        raise SettingsError(
            f"{hide_password(path_or_url)!r}: {reason}; give a folder or the URL of a known store"
        )
    if not location.is_local:
        if not location.bucket and location.scheme in SCHEMES:
            raise SettingsError(f"{path_or_url!r} names no bucket; give {location.scheme}://bucket/prefix")
        return location.url
    if location.key != path_or_url:  # file://
        return Path(location.key).as_posix()
    path = expand_home(path_or_url)
    return (path.resolve() if ".." in path.parts else path).as_posix()


def open_filesystem(url: str, storage: StorageSettings) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem that holds the URL, with a blocking interface, and the URL's path inside it; for a lake's tables.

    No request of the caller's is sent yet: wrap the filesystem's use in ``store_errors(url)``. Writing creates missing folders.
    """
    location = parse_url(normalise_url(url))
    opener = scheme_of(location).filesystem
    if opener is None:
        raise _only_images(location)
    return opener(location, storage), location.path


def polars_options(url: str, storage: StorageSettings) -> dict[str, str]:
    """The ``storage_options`` with which polars reaches the URL; they hold credentials: never print them."""
    location = parse_url(url)
    options = scheme_of(location).polars_options
    if options is None:
        raise _only_images(location)
    return options(location, storage)


def remove_below(folder: Location, storage: StorageSettings) -> None:
    """The folder and everything below it do not exist any more, or never did."""
    remove = scheme_of(folder).remove_below
    assert remove is not None, f"{folder.url} is in no lake"
    remove(folder, storage)


def has_buckets(location: Location) -> bool:
    """Whether open_bucket has a client for stores of this scheme."""
    return scheme_of(location).open_bucket is not None


def has_fast_reads(location: Location) -> bool:
    """Whether that client can name the file, too."""
    return has_buckets(location) and s3_clients.is_plain_key(location.key)


def open_bucket(location: Location, storage: StorageSettings, requests: Requests) -> Any:
    """The obstore client of the bucket that holds the object, for any thread or event loop."""
    opener = scheme_of(location).open_bucket
    assert opener is not None, f"{location.url} is in no bucket"
    return opener(location, storage, requests)


def open_reader(location: Location, storage: StorageSettings, requests: Requests) -> Reader:
    """A reader of one file in a store."""
    opener = scheme_of(location).open_reader
    if opener is None:
        raise SettingsError(
            f"{location.url}: tables are not read from {location.scheme}://; download it, or put it into a store"
        )
    return opener(location, storage, requests)


def list_below(folder: Location, storage: StorageSettings, leave_out: LeaveOut) -> Pages:
    """Pages of all files below the folder, for folders of any size; folders that are no prefixes are left out unentered."""
    lister = scheme_of(folder).list_below
    if lister is None:
        raise SettingsError(
            f"{folder.url} cannot be listed: {folder.scheme}:// gives single files by their URLs; "
            "index a table of the images' URLs instead"
        )
    return lister(folder, storage, leave_out)


def _only_images(location: Location) -> SettingsError:
    return SettingsError(
        f"{location.url}: from {location.scheme}:// only images are read; this must be in {ROOTS}"
    )


def scheme_of(location: Location) -> Scheme:
    """How stores of the location's scheme are reached."""
    return SCHEMES.get(location.scheme, OTHER)

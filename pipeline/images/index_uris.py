"""Where the images of an existing index are, and which versions of them their stores hold."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.fetch_files import UNKNOWN_ETAG
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_clients import Requests, is_plain_key
from laketag.pipeline.store.schemes import is_remote, normalise_url, open_bucket, open_filesystem

STATS_IN_FLIGHT = 32
STAT_TIMEOUT_S = 30.0
STAT_TRIES = 6


def absolute_uris(uris: pl.Series, file: str) -> pl.Series:
    """The URIs with relative ones counted from the folder of the file that they stand in."""
    folder = file.rpartition("/")[0]

    def absolute(uri: str) -> str:
        if "://" in uri or uri.startswith("/"):
            return normalise_url(uri) if uri.startswith("file://") else uri
        if is_remote(file):
            return _object_below(folder, uri)
        return str(Path(os.path.normpath(f"{folder}/{uri}")))

    return pl.Series([absolute(uri) for uri in uris], dtype=pl.String)


def refuse_local(uris: pl.Series, option: str) -> None:
    """All URIs are of s3:// objects, or an InputError says why the option is for those alone."""
    local = uris.filter(~uris.str.starts_with("s3://"))
    if len(local):
        raise InputError(
            f"{option} holds the ETags of an object store, and {local[0]} does not lie in one: a file's version is its size "
            "and time of change, which laketag finds itself; leave the option out"
        )


def ask_versions(uris: pl.Series, storage: StorageSettings) -> pl.Series:
    """The version of each image, asked of its store; UNKNOWN_ETAG where it does not say.

    A StorageError names the first URI whose store cannot be asked.
    """

    def ask(uri: str) -> str:
        if "://" in uri and not is_remote(uri):
            return UNKNOWN_ETAG
        location = parse_url(uri)
        with store_errors(uri), suppress(OSError, PermissionDeniedError, UnauthenticatedError):
            if is_remote(uri) and is_plain_key(location.key):  # many times quicker than s3fs
                head = open_bucket(location, storage, Requests(STAT_TIMEOUT_S, STAT_TRIES)).head(location.key)
                return str(head["e_tag"]).strip('"')
            filesystem, path = open_filesystem(uri, storage)
            return file_version(filesystem.info(path), is_remote(uri))
        return UNKNOWN_ETAG

    with ThreadPoolExecutor(STATS_IN_FLIGHT, thread_name_prefix="stat") as pool:
        return pl.Series(list(pool.map(ask, uris)), dtype=pl.String)


def file_version(info: dict[str, Any], remote: bool) -> str:
    """The store's ETag, or size-mtime_ns of a local file, of what fsspec found; a folder in a store has none."""
    if remote:
        return str(info.get("ETag", UNKNOWN_ETAG)).strip('"')
    status = os.stat(info["name"])  # noqa: PTH116  # fsspec's mtime is a float, and loses nanoseconds
    return f"{status.st_size}-{status.st_mtime_ns}"


def _object_below(folder: str, uri: str) -> str:
    """The URL of an object, with the ``.`` and ``..`` of its relative URI resolved; empty parts are part of a key."""
    parts = folder.removeprefix("s3://").split("/")  # the first is the bucket
    for part in uri.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
        if not parts:
            raise InputError(
                f"{uri!r} leads from {folder} out of its bucket; write the image's whole s3:// URL"
            )
    return f"s3://{'/'.join(parts)}"

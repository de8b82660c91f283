"""The URIs in an existing index: made absolute, and looked up for the versions of their images."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import Location, parse_url
from laketag.pipeline.store.schemes import find_version, is_remote, normalise_url

REQUESTS_IN_FLIGHT = 32


def absolute_uris(uris: pl.Series, file: Location) -> pl.Series:
    """The URIs as absolute ones; relative ones are relative to the folder of the table that contains them."""

    def absolute(uri: str) -> str:
        if "://" in uri or uri.startswith("/"):
            return normalise_url(uri) if uri.startswith("file://") else uri
        if file.is_local:
            return str(Path(os.path.normpath(PurePosixPath(file.key).parent / uri)))
        return _object_beside(file, uri).url

    return pl.Series([absolute(uri) for uri in uris], dtype=pl.String)


def refuse_local(uris: pl.Series, option: str) -> None:
    """All URIs are in object stores, or an InputError explains why the option is for those alone."""
    local = next((uri for uri in uris if not is_remote(uri)), None)
    if local is not None:
        raise InputError(
            f"{option} holds the ETags of an object store, and {local} is not in one: a file's version is its size "
            "and time of change, which laketag finds itself; leave the option out"
        )


def find_versions(uris: pl.Series, storage: StorageSettings) -> pl.Series:
    """The etag column of these URIs: each image's version now, or "unknown".

    A StorageError names the first URI whose store does not answer.
    """

    def find(uri: str) -> str:
        with store_errors(uri):
            return find_version(parse_url(uri), storage).etag

    with ThreadPoolExecutor(REQUESTS_IN_FLIGHT, thread_name_prefix="versions") as pool:
        return pl.Series(list(pool.map(find, uris)), dtype=pl.String)


def _object_beside(file: Location, uri: str) -> Location:
    """The object that a relative URI names, with ``.`` and ``..`` resolved; empty parts belong to the key."""
    parts = [file.bucket, *file.key.split("/")[:-1]]
    for part in uri.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
        if not parts:
            raise InputError(
                f"{uri!r} leads from {file.url} out of its bucket; write the image's whole s3:// URL"
            )
    return Location(file.scheme, parts[0], "/".join(parts[1:]))

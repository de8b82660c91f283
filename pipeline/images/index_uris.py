"""The URIs in tables and lists: made absolute, checked, and looked up for the versions of their images."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.images.findings import Findings
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_locations import locate
from laketag.pipeline.store.background import map_in_background
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.local_files import why_unseen
from laketag.pipeline.store.locations import ALIASES, LOCAL, Location, expand_home, hide_password, parse_url
from laketag.pipeline.store.looks import find_version
from laketag.pipeline.store.schemes import is_remote
from laketag.pipeline.store.versions import UNKNOWN

REQUESTS_IN_FLIGHT = 32
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
"""Also with one slash, as Hadoop and Java write ``file:/folder/x.jpg``; a single letter is a drive of Windows."""
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class ImageAccess:
    """How images are reached, and below which roots they may be."""

    storage: StorageSettings
    allowed_roots: tuple[str, ...] = ()
    local_images: bool = True


def absolute_uri(uri: str, file: Location) -> str:
    """The URI as an index stores it; a relative one is relative to the folder of the table or list that contains it.

    One that leads out of the table's bucket stays relative, and can never be read.

    Hadoop's names are understood: ``s3a://`` and ``s3n://`` are ``s3://``, and ``file:/folder/x.jpg`` is a path.
    """
    if match := _SCHEME.fullmatch(uri):
        scheme, slashes, rest = match[1].lower(), match[2], match[3]
        if scheme == LOCAL:
            return _local_path("/" + (rest if len(slashes) != len("//") else rest.partition("/")[2]))
        return hide_password(f"{ALIASES.get(scheme, scheme)}:{slashes if len(slashes) > 1 else '///'}{rest}")
    if uri.startswith("/") or _WINDOWS.match(uri):
        return uri
    if file.is_local:
        return str(Path(os.path.normpath(PurePosixPath(file.key).parent / uri)))
    found = _object_beside(file, uri)
    return found.url if found else uri


def absolute_prefix(prefix: str) -> str:
    """The beginning of absolute URIs that the prefix means; a relative path is relative to the current folder."""
    if _SCHEME.fullmatch(prefix) or prefix.startswith("/"):
        return absolute_uri(prefix, parse_url("/"))
    return str(expand_home(prefix)) + ("/" if prefix.endswith("/") else "")


def why_unreadable(uri: str, allowed_roots: tuple[str, ...], local_images: bool = True) -> str | None:
    """Why the image at this absolute URI can never be read; None if it may be, as far as its name tells."""
    if _WINDOWS.match(uri):
        return "a path of Windows, which this machine does not have"
    try:
        locate(uri, allowed_roots, local_images)
    except ImageFailure as failure:
        return failure.detail
    return None


def find_versions(uris: Sequence[str], access: ImageAccess, findings: Findings) -> list[str]:
    """The etag column of these URIs: each image's version now, or "unknown"; those that cannot be read are counted.

    A StorageError names the first URI whose store does not answer.
    """

    def find(uri: str) -> tuple[str, str | None]:
        if reason := why_unreadable(uri, access.allowed_roots, access.local_images):
            return UNKNOWN, reason
        location = parse_url(uri)
        try:
            with store_errors(uri):
                etag = find_version(location, access.storage).etag
        except SettingsError as error:  # a URI that no filesystem takes
            return UNKNOWN, str(error)
        return etag, why_unseen(location) if etag == UNKNOWN and location.is_local else None

    found = list(map_in_background(find, uris, REQUESTS_IN_FLIGHT))
    _count(zip(uris, (reason for _, reason in found), strict=True), findings)
    return [etag for etag, _ in found]


def count_unreadable(uris: Sequence[str], access: ImageAccess, findings: Findings) -> None:
    """Those of the URIs that cannot be read are counted, judging by their names alone."""
    _count(((uri, why_unreadable(uri, access.allowed_roots, access.local_images)) for uri in uris), findings)


def refuse_local(uris: Sequence[str], option: str) -> None:
    """All URIs are in object stores, or an InputError explains why the option is for those alone."""
    local = next((uri for uri in uris if not is_remote(uri) and why_unreadable(uri, ()) is None), None)
    if local is not None:
        raise InputError(
            f"{option} holds the ETags of an object store, and {local} is not in one: a file's version is its size "
            "and time of change, which laketag finds itself; leave the option out"
        )


def _count(reasons: Iterable[tuple[str, str | None]], findings: Findings) -> None:
    for uri, reason in reasons:
        if reason:
            findings.add_unreadable(reason, 1, uri)


def _local_path(written: str) -> str:
    """The path behind ``file:``, which some programs percent-encode and others do not."""
    return unquote(written) if "%" in written and not os.path.lexists(written) else written


def _object_beside(file: Location, uri: str) -> Location | None:
    """The object that a relative URI names, ``.`` and ``..`` resolved and empty parts kept; None if it is in no bucket."""
    parts = [file.bucket, *file.key.split("/")[:-1]]
    for part in uri.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
        if not parts:
            return None
    return Location(file.scheme, parts[0], "/".join(parts[1:]))

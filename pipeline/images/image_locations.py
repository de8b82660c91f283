"""Parses the URIs of images, and checks them against the allowed roots."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.store.locations import WEB, Location, parse_url
from laketag.pipeline.store.s3_clients import CONTROL
from laketag.pipeline.store.schemes import SCHEMES, normalise_url, why_unknown

EMBEDDED = re.compile(r"(?P<file>.+)#column=(?P<column>[^&#]+)&row=(?P<row>\d+)", re.DOTALL)
LOCAL_REFUSED = (
    "a file of this machine, named by an index in a store, which others may have written; if you trust it, name its folder in "
    "fetch.allowed_roots"
)


@dataclass(frozen=True)
class ImageLocation:
    """A file, and for an image that is embedded in a table its column and row number."""

    file: Location
    column: str | None = None
    row: int = 0


def embedded_uri(file: str, column: str, row: int) -> str:
    """The URI of bytes in a column (``image.bytes`` for a field of a struct) and row of a Parquet file.

    The row is padded so that URIs sort as rows do; a column with ``&`` or ``#`` in its name has no URI.
    """
    return f"{file}#column={column}&row={row:09d}"


def locate(uri: str, allowed_roots: tuple[str, ...], local_images: bool | None = True) -> ImageLocation:
    """The location that a URI names, symbolic links resolved; without allowed roots it may be anywhere on a disk or in a cloud.

    Without ``local_images`` it may be on a disk of this machine only below an allowed root.

    An ImageFailure (outside_policy) if the URI names none, or one outside the allowed roots.
    """
    if "\0" in uri:
        raise _outside("a NUL character is in the URI, and in no path")
    match = EMBEDDED.fullmatch(uri)
    file = parse_url(match["file"] if match else uri)
    if reason := why_unknown(file):
        raise _outside(reason)
    if file.scheme in WEB:
        if match:
            raise _outside(f"tables are not read from {file.scheme}://; download it, or put it into a store")
        _check_server(file, allowed_roots)
        _check_path(re.split(r"[?#]", file.key, maxsplit=1)[0])
    elif file.scheme not in SCHEMES:
        _check_server(file, allowed_roots)
        _check_path(file.key)
    if file.is_local and not (allowed_roots or local_images):
        raise _outside(LOCAL_REFUSED)
    file = _checked_path(file, allowed_roots) if file.is_local else _checked_object(file, allowed_roots)
    return ImageLocation(file, match["column"], int(match["row"])) if match else ImageLocation(file)


def _check_server(location: Location, allowed_roots: tuple[str, ...]) -> None:
    """A server is connected to only where the settings allow it, because an index may name any server of this network."""
    if not allowed_roots:
        raise _outside(f"{location.scheme}:// is read only below fetch.allowed_roots, which is empty")


def _check_path(path: str) -> None:
    """No client or server makes another path of it: some decode ``%2e``, and drop control characters or what follows ``;``."""
    decoded = unquote(path)
    parts = [part.partition(";")[0] for part in decoded.split("/")]
    if "\\" in decoded or CONTROL.search(decoded) or "." in parts or ".." in parts:
        raise _outside(
            "the URL has '.', '..', '\\' or a control character in its path, which could lead out of fetch.allowed_roots"
        )


def _checked_object(location: Location, allowed_roots: tuple[str, ...]) -> Location:
    if (not location.bucket and location.scheme in SCHEMES) or not location.key:
        raise _outside(f"the URL names no object; {location.scheme}://bucket/key is read")
    if not allowed_roots:
        return location
    if ".." in location.key.split("/"):  # a key like any other, unless something before the store resolves it
        raise _outside("the key has '..' in it, which could lead out of fetch.allowed_roots")
    if not any(location.is_below(parse_url(normalise_url(root))) for root in allowed_roots):
        raise _outside(f"not under fetch.allowed_roots ({', '.join(allowed_roots)})")
    return location


def _checked_path(location: Location, allowed_roots: tuple[str, ...]) -> Location:
    """The location with symbolic links and ``..`` resolved."""
    if not location.key.startswith("/"):
        raise _outside(
            "the path is relative, and leads out of the bucket of its table or list; write its whole URL and index it again"
        )
    real = os.path.realpath(location.key)
    roots = [parse_url(normalise_url(root)) for root in allowed_roots]
    paths = [os.path.realpath(root.key) for root in roots if root.is_local]
    if allowed_roots and not any(Path(real).is_relative_to(path) for path in paths):
        leads = "" if real == location.key else "leads out of, or is "
        raise _outside(f"{leads}not under fetch.allowed_roots ({', '.join(allowed_roots)})")
    return Location(location.scheme, location.bucket, real)


def _outside(detail: str) -> ImageFailure:
    return ImageFailure("outside_policy", detail)

"""Where an image is: what its URI means, and whether it may be read from there."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from laketag.pipeline.store.schemes import is_remote, normalise_url

EMBEDDED = re.compile(r"(?P<file>.+\.(?:parquet|pq))#column=(?P<column>[^&#]+)&row=(?P<row>\d+)", re.DOTALL)


@dataclass(frozen=True)
class Location:
    """A file, and for an image embedded in a table its column and row number; ``file`` is a path or s3:// URL."""

    file: str
    column: str | None = None
    row: int = 0


class OutsidePolicyError(Exception):
    """The URI lies where images may not come from; the message says why."""


def embedded_uri(file: str, column: str, row: int) -> str:
    """The URI of bytes in a column (``image.bytes`` for a field of a struct) and row of a Parquet file.

    The row is padded so that URIs sort as rows do; a column with ``&`` or ``#`` in its name has no URI.
    """
    return f"{file}#column={column}&row={row:09d}"


def locate(uri: str, allowed_roots: tuple[str, ...]) -> Location:
    """The location that a URI means, symbolic links resolved, if it lies under an allowed root or there are none."""
    match = EMBEDDED.fullmatch(uri)
    file = match["file"] if match else uri
    if file.startswith("file://"):
        file = unquote(urlsplit(file).path)
    if is_remote(file):
        _check_object(file, allowed_roots)
    elif scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", file):
        raise OutsidePolicyError(f"{scheme[0]} is not read; images come from s3:// or local paths")
    elif not file.startswith("/"):
        raise OutsidePolicyError("the path is not absolute; index the image again")
    else:
        file = _check_path(file, allowed_roots)
    return Location(file, match["column"], int(match["row"])) if match else Location(file)


def _check_object(url: str, allowed_roots: tuple[str, ...]) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise OutsidePolicyError("the URL names no object; s3://bucket/key is read")
    if not allowed_roots:
        return
    if ".." in key.split("/"):  # a key like any other, unless something before the store resolves it
        raise OutsidePolicyError("the key has '..' in it, which could leave fetch.allowed_roots")
    roots = [normalise_url(root) for root in allowed_roots if is_remote(root)]
    if not any(url.startswith(f"{root}/") for root in roots):
        raise OutsidePolicyError(f"not under fetch.allowed_roots ({', '.join(allowed_roots)})")


def _check_path(path: str, allowed_roots: tuple[str, ...]) -> str:
    """The path with symbolic links and ``..`` resolved."""
    real = os.path.realpath(path)
    if not allowed_roots:
        return real
    roots = [os.path.realpath(normalise_url(root)) for root in allowed_roots if not is_remote(root)]
    if not any(Path(real).is_relative_to(root) for root in roots):
        leads = "" if real == path else "leads out of, or is "
        raise OutsidePolicyError(f"{leads}not under fetch.allowed_roots ({', '.join(allowed_roots)})")
    return real

"""Where a file is: a bucket and key of an object store, or a path of this machine."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from laketag.pipeline.errors import SettingsError

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/@:]*:)[^/]*@|(?i:(https?://))[^/?#@]+@")
"""Before the host; of web servers a name alone, too, as many take a token for it."""
SIGNATURE = re.compile(r"(?i)([?&][^=&]*(?:signature|credential|token|accesskeyid|sig)=)[^&#]+")
"""A parameter of a signed URL."""
LOCAL = "file"
WEB = ("http", "https")
ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "local": LOCAL}
"""Other names of schemes, as Hadoop and fsspec have them."""


@dataclass(frozen=True)
class Location:
    """A file, an object or a folder; in an object store ``key`` is relative to the bucket, on this machine it is the path."""

    scheme: str
    bucket: str  # empty on this machine
    key: str

    @property
    def url(self) -> str:
        """As tables store it: ``s3://bucket/key``, or the bare path of a file on this machine."""
        if self.is_local:
            return self.key
        return f"{self.scheme}://{self.bucket}" + (f"/{self.key}" if self.key else "")

    @property
    def path(self) -> str:
        """The path inside its filesystem, as fsspec counts: ``bucket/key``, or the local path."""
        return "/".join(part for part in (self.bucket, self.key) if part)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.scheme == LOCAL

    def is_below(self, folder: "Location") -> bool:
        """Whether its name begins with the folder's name and a slash; links and ``..`` are not resolved."""
        prefix = f"{folder.key.rstrip('/')}/" if folder.key.rstrip("/") else ""
        return (self.scheme, self.bucket) == (folder.scheme, folder.bucket) and self.key.startswith(prefix)


class Listed(NamedTuple):
    """A file or object that a listing found; a tuple because a listing makes millions."""

    url: str
    etag: str  # Version.etag
    size_bytes: int | None  # if known
    path: str  # relative to the listed folder


class Skipped(NamedTuple):
    """A file or folder (with a slash at its end) that a listing passed over, and why."""

    path: str  # relative to the listed folder
    reason: str


Pages = Iterator[Sequence[Listed | Skipped]]
"""What a listing gives, in parts."""

UNREADABLE_FOLDER = "folder not readable"
UNREADABLE_FILE = "file not readable"
BROKEN_LINK = "broken link"
UNSEEN = (UNREADABLE_FOLDER, UNREADABLE_FILE, BROKEN_LINK)
"""Reasons that tell nothing about whether the images at or below the path still exist."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""How Python reads bytes of a name that are not UTF-8."""
LeaveOut = Callable[[str], str | None]
"""Says why a folder, by its relative path, is not entered; None if it is."""


def is_text(path: str) -> bool:
    """Whether the name is UTF-8, so that a table can hold it."""
    return SURROGATE.search(path) is None


def hide_password(url: str) -> str:
    """The URL as it may be shown and kept: without the password before its host."""
    match = PASSWORD.match(url)
    return f"{match[1] or match[2]}***@{url[match.end() :]}" if match else url


def hide_secrets(url: str) -> str:
    """The URL as messages name it: without a password, and without the signature of a signed URL."""
    return SIGNATURE.sub(r"\1…", hide_password(url))


def expand_home(path: str) -> Path:
    """The absolute path, ``~`` resolved; a SettingsError if there is no such home folder."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        user = path.partition("/")[0]
        raise SettingsError(
            f"{path!r}: {user} is no home folder of this machine; write the whole path, or ./{path} for a folder of this name"
        ) from None


def parse_url(url: str) -> Location:
    """The location that a URL of any scheme, or a path, names character by character."""
    match = URL.fullmatch(url)
    if match is None:
        return Location(LOCAL, "", url)
    scheme, rest = match.groups()
    scheme = ALIASES.get(scheme.lower(), scheme.lower())
    if scheme == LOCAL:
        return Location(LOCAL, "", unquote(urlsplit(url).path))
    bucket, _, key = rest.partition("/")
    return Location(scheme, bucket, key)

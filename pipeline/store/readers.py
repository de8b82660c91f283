"""One remote file, read through whichever client reaches it: its version, its size, and ranges of its bytes.

The readers block. Each answer carries the version that it is of, for the caller to check.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from laketag.pipeline.store.background import wait_for
from laketag.pipeline.store.versions import UNKNOWN, Version, version_of_etag

CHUNK_BYTES = 1 << 20
"""The most of a body that is read before the clock is looked at again."""
ETAGS = ("ETag", "etag", "e_tag", "md5Hash", "content_md5", "sha", "checksum")
TIMES = ("mtime", "last_modified", "LastModified", "modified", "updated", "modify")
"""Names that filesystems of fsspec use for what tells the versions of a file apart."""


class Found(NamedTuple):
    """What a store says of a file that it has."""

    version: Version
    size_bytes: int


class Part(NamedTuple):
    """Bytes of a file, and the version that they are of."""

    version: Version
    data: Any  # a buffer


class Reader(Protocol):
    """One file in a store."""

    def find(self) -> Found:
        """The file's version and size now; the client's own error if there is no such file."""

    def read(self, start: int, end: int, ends_at_s: float) -> Part:
        """The bytes from start up to end; fewer if the file ends before, or a TimeoutError after that monotonic time."""


@dataclass(frozen=True)
class ObstoreReader:
    """An object whose key obstore can name; the client ends requests by its own timeout."""

    client: Any
    key: str

    def find(self) -> Found:
        """One HEAD request."""
        meta = wait_for(lambda: self.client.head(self.key))
        return Found(version_of_etag(meta["e_tag"]), meta["size"])

    def read(self, start: int, end: int, ends_at_s: float) -> Part:  # noqa: ARG002
        """One GET request."""
        return wait_for(lambda: self._read(start, end))

    def _read(self, start: int, end: int) -> Part:
        answer = self.client.get(self.key, options={"range": (start, end)})
        return Part(version_of_etag(answer.meta["e_tag"]), answer.bytes())


@dataclass(frozen=True)
class BotocoreReader:
    """An object on S3 with any key; each wait for the store ends by the client's own timeout."""

    client: Any
    bucket: str
    key: str

    def find(self) -> Found:
        """One HEAD request."""
        answer = self.client.head_object(Bucket=self.bucket, Key=self.key)
        return Found(version_of_etag(answer.get("ETag")), answer["ContentLength"])

    def read(self, start: int, end: int, ends_at_s: float) -> Part:
        """One GET request, given up when bytes that trickle in have taken too long."""
        answer = self.client.get_object(Bucket=self.bucket, Key=self.key, Range=f"bytes={start}-{end - 1}")
        data = bytearray()
        with answer["Body"] as body:
            while chunk := body.read1(CHUNK_BYTES):  # what has arrived; read would wait for all of it
                data += chunk
                if time.monotonic() > ends_at_s and len(data) < end - start:
                    raise TimeoutError(f"{len(data)} of {end - start} bytes arrived in time")
        return Part(version_of_etag(answer.get("ETag")), data)


@dataclass(frozen=True)
class FsspecReader:
    """A file in a filesystem of fsspec, which ends requests as it likes."""

    borrow: Callable[[], AbstractContextManager[tuple[Any, str]]]
    """Lends the filesystem to one thread, and names the file's path in it."""

    def find(self) -> Found:
        """What the filesystem tells of the file now, and not what it remembers from an earlier listing."""
        with self.borrow() as (filesystem, path):
            filesystem.invalidate_cache()
            info = filesystem.info(path)
            if info["type"] == "directory":
                raise IsADirectoryError(path)
            return Found(version_of_info(info), info["size"])

    def read(self, start: int, end: int, ends_at_s: float) -> Part:  # noqa: ARG002
        """The bytes; filesystems do not say of which version."""
        with self.borrow() as (filesystem, path):
            return Part(Version(UNKNOWN), filesystem.cat_file(path, start=start, end=end))


def version_of_info(info: dict[str, Any]) -> Version:
    """The version that fsspec's description of a file tells: an ETag or checksum, else size and time; else unknown."""
    for name in ETAGS:
        if isinstance(info.get(name), str) and info[name]:
            return version_of_etag(info[name])
    time_of_change = next((info[name] for name in TIMES if info.get(name) is not None), None)
    return Version(UNKNOWN if time_of_change is None else f"{info['size']}-{time_of_change}")

"""One version of a file, opened for reading parts of it, on this machine or in any store.

Not by the ``open`` of fsspec's filesystems, because that of s3fs asks with If-Match for weak ETags, which never match.
"""

import io
import math
import os
import time
from typing import Any, BinaryIO

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.locations import Location, parse_url
from laketag.pipeline.store.looks import LOOK
from laketag.pipeline.store.readers import Reader
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import normalise_url, open_reader
from laketag.pipeline.store.versions import UNKNOWN, Version, version_of_file

READ_BYTES = 1 << 20
"""The least that one request reads."""


def open_file(url: str, storage: StorageSettings) -> BinaryIO:
    """The file as it is now, as a binary file to read; wrap its use in ``store_errors(url)``. The caller closes it."""
    location = parse_url(normalise_url(url))
    opened: BinaryIO = open_version(location, Version(UNKNOWN), storage, LOOK, math.inf)
    return opened if location.is_local else io.BufferedReader(opened, READ_BYTES)  # type: ignore[type-var]  # a RawIOBase


def open_version(
    location: Location, version: Version, storage: StorageSettings, requests: Requests, deadline_s: float
) -> Any:
    """The file's version as a binary file to read; a ChangedError if there is another. The caller closes it.

    The deadline is for the whole file, and holds in stores only: a read of a local file cannot be interrupted.
    """
    if location.is_local:
        file = open(location.key, "rb")  # noqa: SIM115, PTH123  # closed by the caller
        try:
            version.check(version_of_file(os.fstat(file.fileno())))
        except BaseException:
            file.close()
            raise
        return file
    return RemoteFile(open_reader(location, storage, requests), version, deadline_s)


class RemoteFile(io.RawIOBase):
    """One version of a file in a store as a readable file; each range is checked to be of that version."""

    def __init__(self, reader: Reader, version: Version, deadline_s: float) -> None:
        super().__init__()
        self._reader = reader
        self._ends_at_s = time.monotonic() + deadline_s
        self._position = 0
        found = reader.find()
        version.check(found.version)
        self._version = version if version.is_known else found.version
        self._size = found.size_bytes

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """The buffer holds the bytes from the position on; returns how many."""
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        if time.monotonic() > self._ends_at_s:
            raise TimeoutError("the deadline of the file is over")
        part = self._reader.read(self._position, end, self._ends_at_s)
        self._version.check(part.version)
        data = memoryview(part.data)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

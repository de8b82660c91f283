"""One version of a file, opened for reading parts of it, on this machine or in an object store."""

import io
import os
import time
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.locations import Location
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import open_bucket
from laketag.pipeline.store.versions import Version, version_of_etag, version_of_file


def open_version(
    location: Location, version: Version, storage: StorageSettings, requests: Requests, deadline_s: float
) -> Any:
    """The file's version as a binary file to read; a ChangedError if there is another. The caller closes it.

    The deadline is for the whole file, and holds in object stores only: a read of a local file cannot be interrupted.
    """
    if location.is_local:
        file = open(location.key, "rb")  # noqa: SIM115, PTH123  # closed by the caller
        try:
            version.check(version_of_file(os.fstat(file.fileno())))
        except BaseException:
            file.close()
            raise
        return file
    return ObjectFile(open_bucket(location, storage, requests), location.key, version, deadline_s)


class ObjectFile(io.RawIOBase):
    """One version of an object as a readable file: each range is requested on condition that this version is current."""

    def __init__(self, client: Any, key: str, version: Version, deadline_s: float) -> None:
        super().__init__()
        self._client, self._key, self._version = client, key, version
        self._end_s = time.monotonic() + deadline_s
        self._position = 0
        meta = client.head(key)
        version.check(version_of_etag(meta["e_tag"]))
        self._size: int = meta["size"]

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
        if time.monotonic() > self._end_s:
            raise TimeoutError("the deadline of the file is over")
        options = {"range": (self._position, end), **self._version.get_options}
        data = memoryview(self._client.get(self._key, options=options).bytes())
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

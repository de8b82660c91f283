"""Reading one image from a local disk."""

import os
import stat

from laketag.pipeline.images.fetch_failures import FetchError

UNKNOWN_ETAG = "unknown"
"""The etag of an image that was not there when it was indexed: any version will do."""


def file_etag(status: os.stat_result) -> str:
    """The version of a local file: its size and time of change."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def read_file(path: str, etag: str, max_bytes: int) -> bytes:
    """The bytes of the file's indexed version; a FetchError if there is another, none, or too much."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for its writer for ever
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FetchError("unsupported", "not a regular file")
        if etag not in (UNKNOWN_ETAG, file_etag(status)):
            raise FetchError("changed", "the file is not the version that was indexed")
        check_size(status.st_size, max_bytes)
        data = file.readall()
        if file_etag(os.fstat(descriptor)) != file_etag(status):
            raise FetchError("changed", "the file was written while it was read", transient=True)
    check_size(len(data), max_bytes)
    return data


def check_size(size_bytes: int, max_bytes: int) -> None:
    """The size is neither zero nor over the limit, or a FetchError says so."""
    if size_bytes == 0:
        raise FetchError("empty", "zero bytes")
    if size_bytes > max_bytes:
        raise FetchError("too_large", f"{size_bytes} bytes, over fetch.max_bytes = {max_bytes}")

"""What a file or object is now, by one request: whether it is there, its version, and its first bytes."""

import math
from pathlib import Path

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store import local_files
from laketag.pipeline.store.errors import no_cloud_credentials, read_answer
from laketag.pipeline.store.locations import Location
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import has_buckets, list_below, open_reader, scheme_of, why_unknown
from laketag.pipeline.store.versions import UNKNOWN, Version

NOT_SEEN = (FileNotFoundError, PermissionError, IsADirectoryError)
LOOK = Requests(timeout_s=30.0, tries=6)


def read_start(location: Location, storage: StorageSettings, size_bytes: int) -> bytes:
    """The first bytes of a file or object; none if it is gone or may not be read."""
    try:
        if location.is_local:  # several times faster than through fsspec
            with open(location.key, "rb", buffering=0) as file:  # noqa: PTH123  # keys are strings
                return file.read(size_bytes)
        reader = open_reader(location, storage, LOOK)
        return bytes(reader.read(0, size_bytes, math.inf).data)
    except Exception as error:
        if _may_not_be_seen(error) or read_answer(error).status == 416:  # an empty file has no range
            return b""
        raise


def find_version(location: Location, storage: StorageSettings) -> Version:
    """The version of a file or object now; unknown if it does not exist, may not be seen or has a scheme without versions."""
    if location.is_local:
        return local_files.find_file_version(location)
    if not location.key or why_unknown(location) or scheme_of(location).open_reader is None:
        return Version(UNKNOWN)
    try:
        return open_reader(location, storage, LOOK).find().version
    except Exception as error:
        if _may_not_be_seen(error):
            return Version(UNKNOWN)
        raise


def is_file(location: Location, storage: StorageSettings) -> bool:
    """Whether a file is there, and not a folder or nothing; an empty object that others are below marks a folder."""
    if location.is_local:
        return Path(location.key).is_file()
    try:
        found = open_reader(location, storage, LOOK).find()
    except Exception as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError) or read_answer(error).status == 404:
            return False
        raise
    is_mark = (
        not found.size_bytes and has_buckets(location) and any(list_below(location, storage, lambda _: None))
    )
    return not is_mark


def _may_not_be_seen(error: Exception) -> bool:
    if no_cloud_credentials("", error):
        return False
    status = read_answer(error).status
    return isinstance(error, NOT_SEEN) or status in (401, 403, 404)

"""Reading one image from a local disk."""

import os
import stat

from laketag.pipeline.images.image_failure import ImageFailure, PassingFailure
from laketag.pipeline.images.image_reading import ImageReading
from laketag.pipeline.store.versions import Version, version_of_file


def read_file(path: str, version: Version, reading: ImageReading) -> bytes:
    """The bytes of the file's indexed version; an ImageFailure if they are none or too many."""
    # without O_NONBLOCK, a pipe would wait for a writer for ever
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageFailure("unsupported", "not a regular file")
        version.check(version_of_file(status))
        check_size(status.st_size, reading.settings.max_bytes)
        with reading.budget.hold(status.st_size):
            data = file.readall()
            if version_of_file(os.fstat(descriptor)) != version_of_file(status):
                raise PassingFailure("changed", "the file was written while it was read")
            check_size(len(data), reading.settings.max_bytes)
    return data


def check_size(size_bytes: int, max_bytes: int) -> None:
    """The size is neither zero nor over the limit, or an ImageFailure is raised."""
    if size_bytes == 0:
        raise ImageFailure("empty", "zero bytes")
    if size_bytes > max_bytes:
        raise ImageFailure("too_large", f"{size_bytes} bytes, over fetch.max_bytes = {max_bytes}")

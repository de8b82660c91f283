"""Files of this machine: their versions, and walks through folders."""

import os
import stat
from collections.abc import Iterator

from laketag.pipeline.store.locations import Listed, Location
from laketag.pipeline.store.versions import UNKNOWN, Version, version_of_file

PAGE_ROWS = 10_000


def find_file_version(location: Location) -> Version:
    """The file's version; unknown if there is no such file or this user may not see it."""
    try:
        return version_of_file(os.stat(location.key))  # noqa: PTH116  # keys are strings
    except OSError:
        return Version(UNKNOWN)


def list_below(folder: Location) -> Iterator[list[Listed]]:
    """Pages of the regular files below a folder, sorted by name in each folder.

    Links are followed, except into a folder that contains them. Hidden files and folders are skipped.
    """
    page: list[Listed] = []
    for path, status in _walk(folder.key, {os.path.realpath(folder.key)}):
        relative = os.path.relpath(path, folder.key)
        page.append(Listed(path, version_of_file(status).etag, status.st_size, relative))
        if len(page) == PAGE_ROWS:
            yield page
            page = []
    yield page


def _walk(folder: str, ancestors: set[str]) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            status = entry.stat()
        except OSError:  # a broken or circular link, or a file removed since
            continue
        if stat.S_ISREG(status.st_mode):
            yield entry.path, status
        if not stat.S_ISDIR(status.st_mode):  # pipes and devices contain no images
            continue
        real = os.path.realpath(entry.path)
        if real not in ancestors:
            yield from _walk(entry.path, ancestors | {real})

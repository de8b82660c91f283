"""Text lists of images, one path or URI a line, and single images."""

from collections.abc import Iterable, Iterator
from itertools import islice

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.findings import Findings
from laketag.pipeline.images.index_uris import ImageAccess, absolute_uri, find_versions
from laketag.pipeline.images.listing import COLUMNS
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.schemes import normalise_url
from laketag.pipeline.store.versioned_file import open_file

BATCH_LINES = 50_000


def read_path_list(source: str, access: ImageAccess, findings: Findings) -> Iterator[pl.DataFrame]:
    """The images that the lines name, in the columns of a listing; empty lines are passed over.

    Relative paths are relative to the folder of the list. An InputError names the first line that is not UTF-8.
    """
    uris = (uri for _, uri in read_names(source, access.storage))
    while batch := list(islice(uris, BATCH_LINES)):
        yield look_up_images(batch, access, findings)


def read_names(source: str, storage: StorageSettings) -> Iterator[tuple[str, str]]:
    """The lines of a list that are not empty, each as it is and as an absolute URI."""
    file = parse_url(normalise_url(source))
    with store_errors(file.url), open_file(file.url, storage) as opened:
        for line in _read_lines(opened, file.url):
            yield line, absolute_uri(line, file)


def look_up_images(uris: list[str], access: ImageAccess, findings: Findings) -> pl.DataFrame:
    """The images with these absolute URIs and their versions now, in the columns of a listing."""
    etags = find_versions(uris, access, findings)
    return pl.DataFrame({"uri": uris, "etag": etags, "size_bytes": None, "path": uris}, COLUMNS)


def _read_lines(lines: Iterable[bytes], url: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise InputError(f"{url} line {number} is not UTF-8; write the list in UTF-8") from None
        if text.strip():
            yield text

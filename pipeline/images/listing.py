"""Finding the images below a folder or an ``s3://`` prefix."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.schemes import list_below, normalise_url

COLUMNS = {"uri": pl.String, "etag": pl.String, "size_bytes": pl.Int64, "path": pl.String}
"""Of the frames of a listing: those of laketag.pipeline.store.locations.Listed."""


def image_id(uri: str) -> str:
    """blake2b-128 of the URI, in hex."""
    return hashlib.blake2b(uri.encode(), digest_size=16).hexdigest()


@dataclass
class ImageListing:
    """The images below a source, in frames of uri, etag, size_bytes and path (relative to the source).

    Iterate once; meanwhile ``left_out`` counts the files that are no images by extension. Hidden files and folders
    (a name that begins with a dot) are skipped without being counted.
    """

    source: str
    storage: StorageSettings
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        source = parse_url(normalise_url(self.source))
        if source.is_local and not os.path.isdir(source.key):  # noqa: PTH112  # keys are strings
            raise InputError(
                f"{source.url} is no folder; name a folder of images, an s3:// prefix, or a .parquet index"
            )
        found = 0
        with store_errors(source.url):
            for page in list_below(source, self.storage):
                found += len(page)
                images = [file for file in page if self._is_image(file.path)]
                if images:
                    yield pl.DataFrame(images, COLUMNS, orient="row")
        if not found and not source.is_local:  # a prefix without objects is usually a mistyped one
            raise InputError(f"{source.url} holds no object; check the prefix")

    def _is_image(self, path: str) -> bool:
        parts = PurePosixPath(path)
        if path.endswith("/") or any(part.startswith(".") for part in parts.parts):
            return False
        if any("\ud800" <= character <= "\udfff" for character in path):
            self.left_out["name is not UTF-8"] += 1
            return False
        extension = parts.suffix.lower().removeprefix(".")
        if extension in IMAGE_EXTENSIONS:
            return True
        self.left_out[f".{extension}" if extension else "no extension"] += 1
        return False

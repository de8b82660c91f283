"""Finding the images below a folder or a prefix of a store."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.exclusions import UNFINISHED_EXTENSIONS, Exclusions
from laketag.pipeline.images.findings import LeftOut
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS, SNIFFED_BYTES, is_image
from laketag.pipeline.store.background import map_in_background
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import UNREADABLE_FILE, Listed, Skipped, is_text, parse_url
from laketag.pipeline.store.looks import read_start
from laketag.pipeline.store.schemes import list_below, normalise_url

COLUMNS = {"uri": pl.String, "etag": pl.String, "size_bytes": pl.Int64, "path": pl.String}
"""Of the frames of a listing: those of laketag.pipeline.store.locations.Listed."""
READS_IN_FLIGHT = 32


def image_id(uri: str) -> str:
    """blake2b-128 of the URI, in hex."""
    return hashlib.blake2b(uri.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ListingRules:
    """What counts as an image below a folder or a prefix."""

    exclude: tuple[str, ...] = ()
    """Globs of files and folders to leave out, besides hidden ones and those of exclusions.NOT_PHOTOS."""
    by_content: bool | None = None
    """Look at the first bytes of files whose extension is not that of an image; unset: in folders of this machine."""


@dataclass(frozen=True)
class ImageListing:
    """The images below a source, in frames of uri, etag, size_bytes and path (relative to the source).

    Iterate once; meanwhile ``left_out`` fills.
    """

    source: str
    storage: StorageSettings
    rules: ListingRules = field(default_factory=ListingRules)
    left_out: LeftOut = field(default_factory=LeftOut)
    pages: Iterable[Sequence[Listed | Skipped]] | None = None
    """What is below the source, where a list of it exists already, such as an S3 Inventory."""

    def __iter__(self) -> Iterator[pl.DataFrame]:
        source = parse_url(normalise_url(self.source))
        if source.is_local and not os.path.isdir(source.key):  # noqa: PTH112  # keys are strings
            raise InputError(
                f"{source.url} is no folder; name a folder of images here or in a store, or a .parquet index"
            )
        exclusions = Exclusions(self.rules.exclude, source.url)
        found = 0
        with store_errors(source.url):
            pages = self.pages
            for page in list_below(source, self.storage, exclusions.reason) if pages is None else pages:
                found += len(page)
                if images := self._images(page, exclusions):
                    yield pl.DataFrame(images, COLUMNS, orient="row")
        self.left_out.unmatched.extend(exclusions.unmatched)
        if not found and not source.is_local:  # a prefix without objects is usually a mistyped one
            raise InputError(f"{source.url} holds no object; check the prefix")

    def _images(self, page: Sequence[Listed | Skipped], exclusions: Exclusions) -> list[Listed]:
        images, others = [], []
        for file in page:
            if isinstance(file, Skipped):
                self.left_out.add(file.path, file.reason)
            elif not file.path or file.path.endswith("/"):  # a store's mark for a folder
                continue
            elif reason := exclusions.reason(file.path):
                self.left_out.add(file.path, reason)
            elif not is_text(file.path):
                self.left_out.add(file.path, "name is not UTF-8")
            elif (extension := _extension(file)) in UNFINISHED_EXTENSIONS:
                self.left_out.add(file.path, "download in progress")
            elif extension in IMAGE_EXTENSIONS:
                images.append(file)
            else:
                others.append(file)
        return images + self._images_by_content(others)

    def _images_by_content(self, files: list[Listed]) -> list[Listed]:
        """Those of the files that begin as images do, where that is looked at; others are left out by their extension."""
        looked_at = [file for file in files if file.size_bytes] if self._looks_inside else []
        read = partial(read_start, storage=self.storage, size_bytes=SNIFFED_BYTES)
        places = [parse_url(file.url) for file in looked_at]
        starts = dict(zip(looked_at, map_in_background(read, places, READS_IN_FLIGHT), strict=True))
        images = []
        for file in files:
            extension = _extension(file)
            if starts.get(file) == b"":  # it has bytes, but they could not be read
                self.left_out.add(file.path, UNREADABLE_FILE)
            elif is_image(starts.get(file, b""), extension):
                images.append(file)
            else:
                self.left_out.add(file.path, f".{extension}" if extension else "no extension")
        return images

    @property
    def _looks_inside(self) -> bool:
        by_content = self.rules.by_content
        return parse_url(normalise_url(self.source)).is_local if by_content is None else by_content


def _extension(file: Listed) -> str:
    return os.path.splitext(file.path)[1].lower().removeprefix(".")  # noqa: PTH122  # pathlib takes half of a listing's time

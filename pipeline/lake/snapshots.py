"""Index snapshots: which images a collection held at a time.

A snapshot is complete once its last part is there: parts are numbered, and the last one is named ``part-00006.last.parquet``.
A snapshot whose writer was killed has no last part, so nobody reads it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.tables import scan_table, write_table
from laketag.pipeline.store.folders import list_files, list_folders
from laketag.schemas import ImageIndex

ROWS_PER_PART = 500_000
PART = re.compile(r"part-(\d{5})(\.last)?\.parquet")


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot: its name, a UTC time, and the URLs of its parts."""

    name: str
    files: tuple[str, ...]


def write_snapshot(lake: Lake, collection: str, batches: Iterable[pl.DataFrame]) -> Snapshot:
    """A new snapshot holds all batches; their image ids must be unique over all of them."""
    name = timestamp()
    folder = f"{lake.index_snapshots(collection)}/snapshot={name}"
    files: list[str] = []
    parts = _parts(batches)
    part: pl.DataFrame | None = next(parts, ImageIndex.create_empty())
    while part is not None:
        following = next(parts, None)
        last = ".last" if following is None else ""
        url = f"{folder}/part-{len(files):05d}{last}.parquet"
        write_table(part, url, ImageIndex, lake.storage)
        files.append(url)
        part = following
    return Snapshot(name, tuple(files))


def latest_snapshot(lake: Lake, collection: str) -> Snapshot:
    """The newest complete snapshot of a collection; an InputError if it has none."""
    folder = lake.index_snapshots(collection)
    for name in reversed(list_folders(folder, lake.storage)):
        files = list_files(f"{folder}/{name}", lake.storage)
        if _complete(files):
            return Snapshot(name.removeprefix("snapshot="), tuple(files))
    known = [found.removeprefix("collection=") for found in list_folders(lake.path("index"), lake.storage)]
    raise InputError(
        f"{lake.root} has no index of collection {collection!r}; "
        + (f"it has {', '.join(known)}; " if known else "")
        + f"write one with: laketag index SOURCE --root {lake.root} --collection {collection}"
    )


def scan_snapshot(lake: Lake, snapshot: Snapshot) -> pl.LazyFrame:
    """The rows of a snapshot (schemas.ImageIndex), lazily."""
    return scan_table(snapshot.files, ImageIndex, lake.storage)


def _parts(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The batches' rows in frames of ROWS_PER_PART, the last one shorter."""
    held: list[pl.DataFrame] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.height
        while rows >= ROWS_PER_PART:
            frame = pl.concat(held)
            yield frame.head(ROWS_PER_PART)
            held = [frame.slice(ROWS_PER_PART)]
            rows -= ROWS_PER_PART
    if rows:
        yield pl.concat(held)


def _complete(files: list[str]) -> bool:
    """Whether parts 0, 1, 2 … up to one marked as the last are all there."""
    parts = [PART.fullmatch(url.rpartition("/")[2]) for url in files]
    numbers = [int(part[1]) for part in parts if part]
    return (
        bool(parts)
        and numbers == list(range(len(parts)))
        and parts[-1] is not None
        and parts[-1][2] is not None
    )

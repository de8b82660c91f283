"""Index snapshots: which images a collection contained at a time.

The parts of a snapshot are numbered and the last one is marked, as in ``part-00006.last.parquet``. A snapshot without all
of its parts is not read: its writer was killed, or is still writing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.tables import scan_table, write_table
from laketag.pipeline.store.folders import list_files, list_folders
from laketag.schemas import ImageIndex

ROWS_PER_PART = 500_000


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot: its name, which is a UTC time, and the URLs of its parts."""

    name: str
    files: tuple[str, ...]


def write_snapshot(lake: Lake, collection: str, batches: Iterable[pl.DataFrame]) -> Snapshot:
    """A new snapshot contains all batches (schemas.ImageIndex); image ids must be unique over all of them."""
    name = timestamp()
    folder = f"{lake.index_snapshots(collection)}/snapshot={name}"
    files: list[str] = []
    parts = _parts(batches)
    part: pl.DataFrame | None = next(parts, ImageIndex.create_empty())
    while part is not None:
        following = next(parts, None)
        url = f"{folder}/{_part_name(len(files), is_last=following is None)}"
        write_table(part, url, ImageIndex, lake.storage)
        files.append(url)
        part = following
    return Snapshot(name, tuple(files))


def latest_snapshot(lake: Lake, collection: str) -> Snapshot:
    """The newest complete snapshot of a collection; an InputError if there is none."""
    folder = lake.index_snapshots(collection)
    for name in reversed(list_folders(folder, lake.storage)):
        files = list_files(f"{folder}/{name}", lake.storage)
        if _is_complete(files):
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
    """The rows of the batches in frames of ROWS_PER_PART rows, the last one shorter."""
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


def _part_name(number: int, *, is_last: bool) -> str:
    return f"part-{number:05d}{'.last' if is_last else ''}.parquet"


def _is_complete(files: list[str]) -> bool:
    """Whether all parts are there, from number 0 to the one that is marked as the last."""
    names = [url.rpartition("/")[2] for url in files]
    last = len(names) - 1
    return bool(names) and names == [
        _part_name(number, is_last=number == last) for number in range(len(names))
    ]

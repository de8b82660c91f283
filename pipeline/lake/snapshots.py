"""Index snapshots: which images a collection contained at a time.

The parts of a snapshot are numbered and the last one is marked, as in ``part-00006.last.parquet``. A snapshot without all
of its parts is not read: its writer was killed, or is still writing.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import InputError, LaketagError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.snapshot_changes import Changes, count_changes, name_gone
from laketag.pipeline.lake.tables import scan_table, write_table
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import ImageIndex

ROWS_PER_PART = 500_000
FROM_IMAGES = 100
"""Of a smaller collection any fraction may be gone."""
NAMED_IMAGES = 3
FORGOTTEN_ROWS = "forgotten"
"""The entry in the footer of a part that counts the rows which laketag forget has removed from it."""


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot: its name, which is a UTC time, and the URLs of its parts."""

    name: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """The newest snapshot of a collection; ``is_new`` unless nothing had changed since an earlier one, which is kept."""

    snapshot: Snapshot
    changes: Changes
    is_new: bool


def write_changes(
    lake: Lake,
    collection: str,
    batches: Iterable[pl.DataFrame],
    max_gone_fraction: float = 1,
    check: Callable[[], object] = lambda: None,
) -> Written:
    """The newest snapshot contains all batches (schemas.ImageIndex); none is written if the newest one does already.

    If a larger fraction of the images would be gone or unseen, nothing is written: InputError. Nor is it if ``check`` raises a
    LaketagError, which is called right before the last part is written.
    """
    begun = _begin(lake, collection, batches)
    old = find_snapshot(lake, collection)  # not before: batches may take hours, in which others finish theirs
    try:
        changes = _count_allowed(lake, old, begun, max_gone_fraction) if old else Changes(new=begun.rows)
        if old and not changes:
            _drop(begun)
            return Written(old, changes, is_new=False)
        check()
    except LaketagError:
        _drop(begun)
        raise
    return Written(_finish(begun), changes, is_new=True)


def preview_changes(
    lake: Lake, collection: str, batches: Iterable[pl.DataFrame], max_gone_fraction: float = 1
) -> Written:
    """As write_changes, but nothing is written; all rows are held in memory."""
    folder = lake.index_snapshots(collection)
    begun = _Begun(lake, "", folder, (), pl.concat([ImageIndex.create_empty(), *batches]))
    old = find_snapshot(lake, collection)
    if old is None:
        return Written(Snapshot("", ()), Changes(new=begun.rows), is_new=False)
    return Written(old, _count_allowed(lake, old, begun, max_gone_fraction), is_new=False)


def write_snapshot(lake: Lake, collection: str, batches: Iterable[pl.DataFrame]) -> Snapshot:
    """A new snapshot contains all batches (schemas.ImageIndex); image ids must be unique over all of them."""
    return _finish(_begin(lake, collection, batches))


def latest_snapshot(lake: Lake, collection: str) -> Snapshot:
    """The newest complete snapshot of a collection; an InputError if there is none."""
    if snapshot := find_snapshot(lake, collection):
        return snapshot
    known = [found.removeprefix("collection=") for found in list_folders(lake.path("index"), lake.storage)]
    raise InputError(
        f"{lake.root} has no index of collection {collection!r}; "
        + (f"it has {', '.join(known)}; " if known else "")
        + f"write one with: laketag index SOURCE --root {shlex.quote(lake.root)} --collection {collection}"
    )


def find_snapshot(lake: Lake, collection: str) -> Snapshot | None:
    """The newest complete snapshot of a collection, if there is one."""
    for folder in reversed(list_folders(lake.index_snapshots(collection), lake.storage)):
        if snapshot := open_snapshot(lake, collection, folder.removeprefix("snapshot=")):
            return snapshot
    return None


def open_snapshot(lake: Lake, collection: str, name: str) -> Snapshot | None:
    """The snapshot of this name; None if it is not there or not complete."""
    return complete_snapshot(
        name, list_files(f"{lake.index_snapshots(collection)}/snapshot={name}", lake.storage)
    )


def complete_snapshot(name: str, files: Iterable[str]) -> Snapshot | None:
    """The snapshot of this name, if all its parts are among the files in its folder."""
    parts = sorted(url for url in files if url.endswith(".parquet") and not _name(url).startswith("."))
    return Snapshot(name, tuple(parts)) if _is_complete(parts) else None


def scan_snapshot(lake: Lake, snapshot: Snapshot) -> pl.LazyFrame:
    """The rows of a snapshot (schemas.ImageIndex), lazily."""
    return scan_table(snapshot.files, ImageIndex, lake.storage)


def remove_snapshot(lake: Lake, collection: str, snapshot: Snapshot) -> None:
    """The snapshot does not exist any more."""
    remove_folder(f"{lake.index_snapshots(collection)}/snapshot={snapshot.name}", lake.storage)


@dataclass(frozen=True)
class _Begun:
    """A snapshot whose last part is not written yet, so that nobody reads it."""

    lake: Lake
    name: str
    folder: str
    files: tuple[str, ...]
    last: pl.DataFrame

    @property
    def rows(self) -> int:
        return len(self.files) * ROWS_PER_PART + self.last.height

    def scan(self) -> pl.LazyFrame:
        """All its rows, lazily."""
        if not self.files:
            return self.last.lazy()
        return pl.concat([scan_table(self.files, ImageIndex, self.lake.storage), self.last.lazy()])


def _begin(lake: Lake, collection: str, batches: Iterable[pl.DataFrame]) -> _Begun:
    """All parts but the last are written; none is left of them if the batches end in an error of the source."""
    earlier = list_folders(lake.index_snapshots(collection), lake.storage)
    name = timestamp(after=earlier[-1].removeprefix("snapshot=") if earlier else "")
    folder = f"{lake.index_snapshots(collection)}/snapshot={name}"
    files: list[str] = []
    parts = _parts(batches)
    try:
        last = next(parts, ImageIndex.create_empty())
        for part in parts:
            url = f"{folder}/{_part_name(len(files), is_last=False)}"
            write_table(last, url, ImageIndex, lake.storage)
            files.append(url)
            last = part
    except Exception:  # of the source, or as the time is over
        if files:
            remove_folder(folder, lake.storage)
        raise
    return _Begun(lake, name, folder, tuple(files), last)


def _count_allowed(lake: Lake, old: Snapshot, begun: _Begun, max_gone_fraction: float) -> Changes:
    """The changes since the old snapshot, or an InputError if more images would be gone than may be."""

    def count() -> tuple[Changes, int, str]:
        before, now = scan_snapshot(lake, old), begun.scan()
        changes = count_changes(before, now)
        lost = changes.gone + changes.unseen
        images = before.select(pl.len()).collect().item() if lost else 0
        if images < FROM_IMAGES or lost <= max_gone_fraction * images:
            return changes, 0, ""
        return changes, images, ", ".join(name_gone(before, now, NAMED_IMAGES))

    changes, images, names = through_outages(begun.folder, lake.storage, count)
    if not images:
        return changes
    lost = changes.gone + changes.unseen
    found = f" ({changes.unseen:,} of them named by the source, but not found)" if changes.unseen else ""
    raise InputError(
        f"{lost:,} of the {images:,} images of the newest index would be gone{found}, such as {names}, which is more than "
        f"index.max_gone_fraction = {max_gone_fraction:g}; nothing was written. Check that the source is complete and that "
        "its disks are mounted; if the images are gone for good, run the same command with --accept-gone"
    )


def _drop(begun: _Begun) -> None:
    """Nothing is left of the snapshot."""
    if begun.files:
        remove_folder(begun.folder, begun.lake.storage)


def _finish(begun: _Begun) -> Snapshot:
    url = f"{begun.folder}/{_part_name(len(begun.files), is_last=True)}"
    write_table(begun.last, url, ImageIndex, begun.lake.storage)
    return Snapshot(begun.name, (*begun.files, url))


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


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _is_complete(files: list[str]) -> bool:
    """Whether all parts are there, from number 0 to the one that is marked as the last."""
    names = [_name(url) for url in files]
    last = len(names) - 1
    return bool(names) and names == [
        _part_name(number, is_last=number == last) for number in range(len(names))
    ]

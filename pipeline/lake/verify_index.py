"""Whether the snapshots of the index are readable, name no image twice, and are those that runs were planned from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import polars as pl

from laketag.pipeline.lake.hashed_rows import HashedRows, find_doubles, find_ids, name_doubles
from laketag.pipeline.lake.layout import group_folders
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_run_table
from laketag.pipeline.lake.snapshots import FORGOTTEN_ROWS, Snapshot, complete_snapshot, open_snapshot
from laketag.pipeline.lake.tables import read_whole_footer, scan_table
from laketag.pipeline.lake.verified import UNREADABLE_ERRORS, Verified
from laketag.pipeline.store.files import READS_AT_ONCE
from laketag.pipeline.store.outages import through_outages
from laketag.pipeline.store.read_ahead import read_ahead
from laketag.schemas import ImageIndex

IN_ONE_SNAPSHOT = "has two rows in one snapshot"
ROWS_AHEAD = 1_000_000
"""About how many rows of snapshots are read ahead."""
Name = tuple[str, str]
"""The collection and the name of a snapshot."""


@dataclass(frozen=True)
class CountedSnapshot:
    """A complete snapshot, and what the footers of its parts say."""

    snapshot: Snapshot
    rows: int
    forgotten: int
    """The rows that it has lost since it was written, because their images were forgotten."""

    @property
    def images(self) -> range:
        """How many images a run may have counted in it: before images were forgotten, or afterwards."""
        return range(self.rows, self.rows + self.forgotten + 1)


@dataclass(frozen=True)
class CheckedIndex:
    """The complete snapshots of a lake, and the names of those that cannot be read."""

    snapshots: dict[Name, CountedSnapshot]
    unreadable: frozenset[Name]


def check_index(lake: Lake, files: list[str], runs: pl.DataFrame, found: Verified) -> CheckedIndex:
    """Each complete snapshot is readable, and the runs name complete ones with the rows that they counted."""
    complete: dict[Name, Snapshot] = {}
    wanted = dict.fromkeys(runs.select("collection", "snapshot").iter_rows())
    for (collection, name), inside in group_folders("index", files).items():
        if snapshot := complete_snapshot(name, [lake.path("index", file) for file in inside]):
            complete[collection, name] = snapshot
        elif (collection, name) not in wanted:
            found.left_over += 1
    for collection, name in wanted:
        if (collection, name) not in complete and (snapshot := open_snapshot(lake, collection, name)):
            complete[collection, name] = snapshot  # written since
    index = _count(lake, complete, found)
    found.snapshots += len(index.snapshots)
    _check_runs(lake, index, runs, found)
    return index


def check_ids(lake: Lake, index: CheckedIndex, found: Verified) -> None:
    """No snapshot has two rows of one image."""
    for name, batches in read_snapshots(lake, index, list(index.snapshots), ["image_id"]):
        where = "index/collection={}/snapshot={}".format(*name)
        hashes = HashedRows("image")
        try:
            for rows in batches:
                hashes.add(rows.select(image=pl.col("image_id").hash()))
        except UNREADABLE_ERRORS as error:
            found.blame_unreadable(where, error)
            continue
        find_names = partial(_find_ids, lake, index, name)
        for image, what in name_doubles(find_doubles(hashes), IN_ONE_SNAPSHOT, find_names):
            found.blame(where, f"{image} {what}")


def read_snapshots(
    lake: Lake, index: CheckedIndex, names: Sequence[Name], columns: list[str]
) -> Iterator[tuple[Name, Iterator[pl.DataFrame]]]:
    """These columns of each snapshot, file by file; read them before the next snapshot. Small files are read many at once, of
    large ones two."""

    def read(file: tuple[Name, str]) -> pl.DataFrame:
        return through_outages(
            file[1],
            lake.storage,
            lambda: scan_table([file[1]], ImageIndex, lake.storage).select(columns).collect(),
        )

    counted = [index.snapshots[name] for name in names]
    files = [(name, url) for name in names for url in index.snapshots[name].snapshot.files]
    largest = max((one.rows // len(one.snapshot.files) for one in counted), default=0)
    at_once = max(2, min(READS_AT_ONCE, ROWS_AHEAD // max(1, largest)))
    for name, reads in groupby(read_ahead(read, files, at_once), key=lambda one: one[0][0]):
        yield name, (rows.result() for _, rows in reads)


def _find_ids(lake: Lake, index: CheckedIndex, name: Name, hashes: list[int]) -> dict[int, str]:
    _, batches = next(read_snapshots(lake, index, [name], ["image_id"]))
    return find_ids((rows["image_id"] for rows in batches), hashes)


def _count(lake: Lake, snapshots: dict[Name, Snapshot], found: Verified) -> CheckedIndex:
    """What the footers say, each of which is read once, many at once; a snapshot that is removed meanwhile is left out."""
    files = [(name, url) for name, snapshot in snapshots.items() for url in snapshot.files]
    counts = dict.fromkeys(snapshots, (0, 0))
    errors: dict[Name, Exception] = {}
    for (name, _), read in read_ahead(
        lambda file: read_whole_footer(file[1], lake.storage), files, READS_AT_ONCE
    ):
        try:
            footer = read.result()
            rows, forgotten = counts[name]
            lost = int(footer.entries.get(FORGOTTEN_ROWS, 0))
            counts[name] = rows + footer.rows, forgotten + lost
        except UNREADABLE_ERRORS as error:
            errors.setdefault(name, error)
    unreadable = {name: error for name, error in errors.items() if open_snapshot(lake, *name)}
    for (collection, snapshot_name), why in unreadable.items():
        found.blame_unreadable(f"index/collection={collection}/snapshot={snapshot_name}", why)
    return CheckedIndex(
        {
            name: CountedSnapshot(snapshot, *counts[name])
            for name, snapshot in snapshots.items()
            if name not in errors
        },
        frozenset(unreadable),
    )


def _check_runs(lake: Lake, index: CheckedIndex, runs: pl.DataFrame, found: Verified) -> None:
    missing = [
        run["run_id"]
        for run in runs.iter_rows(named=True)
        if (run["collection"], run["snapshot"]) not in index.snapshots.keys() | index.unreadable
    ]
    removed = _removed(lake, runs, missing)
    found.without_snapshot += len(removed)
    for run in runs.iter_rows(named=True):
        where = f"run {run['run_id']}"
        known = index.snapshots.get((run["collection"], run["snapshot"]))
        if run["run_id"] in missing and run["run_id"] not in removed:
            found.blame(where, f"its snapshot {run['snapshot']} is missing or incomplete")
        elif known and run["index_rows"] not in known.images:
            found.blame(
                where,
                f"counts {run['index_rows']:,} images in the index, and its snapshot {run['snapshot']} has {known.images[-1]:,}",
            )
        if run["left"] is not None and (
            run["index_rows"] != run["already_done"] + run["planned"] + run["left"]
        ):
            found.blame(
                where,
                f"{run['index_rows']:,} images in the index are not {run['already_done']:,} done + "
                f"{run['planned']:,} planned + {run['left']:,} left",
            )


def _removed(lake: Lake, runs: pl.DataFrame, missing: Iterable[str]) -> set[str]:
    """Those runs of which laketag clean says, maybe since the runs were read, that it has removed their snapshots."""
    wanted = pl.col("run_id").is_in(list(missing)) & pl.col("snapshot_removed")
    removed = set(runs.filter(wanted)["run_id"])
    if removed.issuperset(missing):
        return removed
    return set(read_run_table(lake).rows.filter(wanted)["run_id"])

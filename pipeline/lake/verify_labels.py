"""Whether the label files are those that the runs name, and hold each row that the runs count, once."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial

import polars as pl

from laketag.pipeline.lake.hashed_rows import HashedRows, find_ids, hash_keys
from laketag.pipeline.lake.label_files import LabelFile, files_of
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import RunTable
from laketag.pipeline.lake.tables import decode_columns
from laketag.pipeline.lake.verified import Verified
from laketag.pipeline.lake.verify_files import read_named, was_replaced
from laketag.pipeline.lake.verify_index import CheckedIndex, read_snapshots
from laketag.pipeline.lake.verify_kept import check_kept
from laketag.pipeline.lake.work_keys import WorkKeys
from laketag.pipeline.store.files import READS_AT_ONCE, read_files
from laketag.pipeline.store.read_ahead import read_ahead
from laketag.schemas import LABELLED, Labels

ROWS_AHEAD = 400_000
"""About how many label rows are read ahead, which bounds the memory; 16 small files at most."""
COUNTED = ("image_id", "etag", "failure", "run_id")
"""The columns of label rows by which they are counted."""
INDEX_ROWS_AT_ONCE = 2_500_000
"""How many rows of a snapshot are compared with the rows of its runs at a time."""


def check_labels(
    lake: Lake, table: RunTable, wanted: pl.DataFrame, index: CheckedIndex | None, found: Verified
) -> None:
    """Each file that the wanted runs name is as they say, and has each row that they count, once.

    With the index, also: what the runs of a classifier found done in it was done. All its runs must be wanted then.
    """
    namers: dict[str, list[str]] = defaultdict(list)
    for run_id, files in table.rows.select("run_id", "files").iter_rows():
        for path in files:
            namers[path].append(run_id)
    for _, runs in wanted.group_by("collection", "classifier", maintain_order=True):
        keys = WorkKeys(runs)
        outcomes: Counter[tuple[str, str]] = Counter()
        complete = True
        files = list(_unique_files(runs))
        largest = max((ROWS_AHEAD if file.rows is None else file.rows for file in files), default=0)
        at_once = max(2, min(READS_AT_ONCE, ROWS_AHEAD // max(1, largest)))
        for file, reading in read_ahead(lambda file: read_named(lake, file, Labels, COUNTED), files, at_once):
            read = reading.result()
            if read.fault and not (read.may_be_replaced and was_replaced(lake, file)):
                found.blame(file.path, read.fault)
            if read.rows is None:
                complete = False
                continue
            rows = read.rows
            found.label_files += 1
            found.rows += rows.height
            strangers = rows.filter(~pl.col("run_id").is_in(namers[file.path]))
            if strangers.height:
                found.blame(
                    file.path,
                    f"has {strangers.height:,} rows of runs that do not name it ({strangers['run_id'][0]})",
                )
            outcome = pl.col("failure").cast(pl.String).fill_null(LABELLED)
            counted = rows.group_by("run_id", outcome).len()
            outcomes.update({(run, kind): images for run, kind, images in counted.iter_rows()})
            keys.add(rows)
        for where, what in keys.doubles(partial(_find_ids, lake, runs)):
            found.blame(where, what)
        check_kept(lake, table, runs, keys if complete else None, found)
        if complete:
            _check_counts(runs, outcomes, found)
            if index is not None:
                _check_done(lake, runs, keys, index, found)


def _unique_files(runs: pl.DataFrame) -> Iterator[LabelFile]:
    """The files in the order of the runs; of what several runs say of one file, that which is known counts."""
    files: dict[str, LabelFile] = {}
    for run in runs.iter_rows(named=True):
        for file in files_of(run):
            if file.path not in files or files[file.path].rows is None:
                files[file.path] = file
    yield from files.values()


def _check_counts(runs: pl.DataFrame, outcomes: Counter[tuple[str, str]], found: Verified) -> None:
    for run in runs.iter_rows(named=True):
        said = {LABELLED: run["labelled"]} | {entry["reason"]: entry["images"] for entry in run["failures"]}
        for kind in sorted(said.keys() | {kind for run_id, kind in outcomes if run_id == run["run_id"]}):
            have, want = outcomes[run["run_id"], kind], said.get(kind, 0)
            if have != want:
                found.blame(
                    f"run {run['run_id']}", f"counts {want:,} images as {kind}, and its files have {have:,}"
                )


def _check_done(lake: Lake, runs: pl.DataFrame, keys: WorkKeys, index: CheckedIndex, found: Verified) -> None:
    """What each run counts as done was done, as far as its snapshot is there and it says how many images it left.

    Forgotten images have left the snapshots and the label files, but not these counts.
    """
    of_snapshot = runs.filter(pl.col("left").is_not_null()).partition_by(
        "collection", "snapshot", as_dict=True, maintain_order=True
    )
    names = [(str(one), str(other)) for one, other in of_snapshot]
    known = [name for name in names if name in index.snapshots]
    for name, frames in read_snapshots(lake, index, known, ["image_id", "etag"]):
        planned_from_it = of_snapshot[name]
        counted = index.snapshots[name]
        done: Counter[str] = Counter()
        for batch in _hash(frames):
            for run_id in planned_from_it["run_id"]:
                done[run_id] += keys.count_done(run_id, batch)
        for run in planned_from_it.iter_rows(named=True):
            have, want = done[run["run_id"]], run["already_done"]
            if not want - counted.forgotten <= have <= want + run["left"]:
                found.blame(
                    f"run {run['run_id']}",
                    f"counts {want:,} images as done before it, and the runs before it have done {have:,} of those that it "
                    "has no row of",
                )


def _hash(frames: Iterator[pl.DataFrame]) -> Iterator[HashedRows]:
    """The hashed keys of the rows, in batches of about INDEX_ROWS_AT_ONCE."""
    batch, rows = HashedRows("image"), 0
    for keys in frames:
        batch.add(hash_keys(keys))
        rows += keys.height
        if rows >= INDEX_ROWS_AT_ONCE:
            yield batch
            batch, rows = HashedRows("image"), 0
    yield batch


def _find_ids(lake: Lake, runs: pl.DataFrame, hashes: list[int]) -> dict[int, str]:
    def read() -> Iterator[pl.Series]:
        for file in _unique_files(runs):
            url = f"{lake.root}/{file.path}"
            yield decode_columns(read_files([url], lake.storage)[0], url, Labels, ["image_id"])["image_id"]

    return find_ids(read(), hashes)

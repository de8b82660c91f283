"""Whether the label files are those that the runs name, and hold each row that the runs count, once."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.hashed_rows import HashedRows, find_ids, hash_keys
from laketag.pipeline.lake.label_files import LabelFile, files_of
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.run_folds import named_files
from laketag.pipeline.lake.runs import RunTable, read_run_table
from laketag.pipeline.lake.tables import decode_labels
from laketag.pipeline.lake.verified import Verified, first_line
from laketag.pipeline.lake.verify_index import CheckedIndex, read_snapshots
from laketag.pipeline.lake.work_keys import WorkKeys
from laketag.pipeline.store.files import READS_AT_ONCE, read_files
from laketag.pipeline.store.read_ahead import read_ahead
from laketag.schemas import LABELLED

ROWS_AHEAD = 400_000
"""About how many label rows are read ahead, which bounds the memory; 16 small files at most."""
INDEX_ROWS_AT_ONCE = 2_500_000
"""How many rows of a snapshot are compared with the rows of its runs at a time."""


@dataclass(frozen=True)
class _Read:
    """A label file: its columns that are checked, or why there are none."""

    rows: pl.DataFrame | None = None
    fault: str = ""
    may_be_replaced: bool = False
    """Whether it is no fault if a process that compacts or forgets has replaced the file meanwhile."""


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
        for file, reading in read_ahead(lambda file: _read(lake, file), files, at_once):
            read = reading.result()
            if read.fault and not (read.may_be_replaced and _is_replaced(lake, file)):
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


def _read(lake: Lake, file: LabelFile) -> _Read:
    url = f"{lake.root}/{file.path}"
    try:
        (content,) = read_files([url], lake.storage)
    except FileNotFoundError:
        return _Read(fault="is missing, but runs name it", may_be_replaced=True)
    if file.sha256 is not None and hashlib.sha256(content).hexdigest() != file.sha256:
        fault = "was changed after it was published: its SHA-256 is not that in the row of its run"
        return _Read(fault=fault, may_be_replaced=True)
    try:
        rows = decode_labels(content, url)
    except InputError as error:
        return _Read(fault=f"is no table of labels: {first_line(error)}")
    if file.rows is not None and rows.height != file.rows:
        return _Read(rows, f"has {rows.height:,} rows, and its run says {file.rows:,}")
    return _Read(rows)


def _is_replaced(lake: Lake, file: LabelFile) -> bool:
    """Whether no run names the file any more, because it was compacted or forgotten since."""
    return file.path not in named_files(read_run_table(lake).rows)


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
            yield decode_labels(read_files([url], lake.storage)[0], url)["image_id"]

    return find_ids(read(), hashes)

"""What is wrong with a lake, from its stored tables alone.

Other processes may work meanwhile, so the order of reading matters: files are listed first, then staging, then the runs are
read. A file that a run is publishing belongs to a staged run; when that is gone, the run's row is there. A named file that
is missing counts only if the runs still name it afterwards.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl
import pyarrow as pa

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.description_versions import list_versions, read_descriptions_table
from laketag.pipeline.lake.forgotten import read_forgotten
from laketag.pipeline.lake.label_files import LabelFile, files_of
from laketag.pipeline.lake.nights import read_nights
from laketag.pipeline.lake.paths import TABLES, Lake, Table
from laketag.pipeline.lake.publish import WRITER_DIGITS
from laketag.pipeline.lake.run_folds import named_files
from laketag.pipeline.lake.runs import RunTable, read_run_table
from laketag.pipeline.lake.snapshots import count_forgotten, open_snapshot
from laketag.pipeline.lake.tables import count_rows, decode_labels
from laketag.pipeline.lake.work_keys import WorkKeys
from laketag.pipeline.store.files import read_files
from laketag.pipeline.store.folders import list_everything, list_folders
from laketag.schemas import LABELLED

LAYOUT: dict[Table, str] = {
    "index": r"collection=([^/]+)/snapshot=([^/]+)/part-\d+(\.last)?\.parquet",
    "descriptions": r"set=([^/]+)/version=([^/]+)/descriptions\.parquet",
    "labels": r"collection=([^/]+)/classifier=[^/]+/run=([^/]+)/[^/]+\.parquet",
    "runs": r"[^/]+\.parquet",
    "nights": r"[^/]+\.parquet",
    "forgotten": r"[^/]+\.parquet",
}
"""The files of each table that readers scan; in staging anything may be."""
PUBLISHED = rf"part-\d+-of-\d+-[0-9a-f]{{{WRITER_DIGITS}}}\.parquet"
"""A label file as it was published. One that its run does not name is of a process that was too late to commit the run."""

UNREADABLE = range(2**62)
"""How many images a snapshot may have had that cannot be read."""
UNREADABLE_ERRORS = (InputError, pl.exceptions.PolarsError, pa.ArrowException, OSError)
"""What a damaged file raises; errors of the store end the command."""


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and where: a file relative to the root, or a run."""

    where: str
    what: str


@dataclass
class Verified:
    """What was looked at, and what is wrong with it."""

    runs: int = 0
    label_files: int = 0
    rows: int = 0
    snapshots: int = 0
    faults: list[Fault] = field(default_factory=list)
    left_over: int = 0
    """Files that no table needs any more, or not yet: laketag clean removes those that nobody will need."""

    def blame(self, where: str, what: str) -> None:
        """It is a fault."""
        self.faults.append(Fault(where, what))


def verify(lake: Lake) -> Verified:
    """Every row that the runs count is there once, in files as the runs say, and no other file is among them."""
    found = Verified()
    listed = {table: _list(lake, table) for table in TABLES if table != "staging"}
    staged = set(list_folders(lake.path("staging"), lake.storage))
    try:
        table = read_run_table(lake)
    except InputError as error:
        found.blame("runs", str(error))
        table = None
    for name, files in listed.items():
        for file in files:
            if not re.fullmatch(LAYOUT[name], file):
                found.blame(
                    f"{name}/{file}", "is no file of laketag's, but readers scan this folder; remove it"
                )
    for name, read in (("nights", read_nights), ("forgotten", read_forgotten)):
        try:
            read(lake)
        except UNREADABLE_ERRORS as error:
            found.blame(name, f"cannot be read: {_first_line(error)}")
    if table is not None:
        found.runs = table.rows.height
        _check_strangers(listed["labels"], staged, table, found)
        _check_snapshots(lake, listed["index"], table.rows, found)
        _check_labels(lake, table, table.rows, found)
        _check_descriptions(lake, listed["descriptions"], table.rows, found)
        if found.faults:  # runs that were left out meanwhile have none
            known = {f"run {run_id}" for run_id in read_run_table(lake).rows["run_id"]}
            found.faults = [
                fault for fault in found.faults if not fault.where.startswith("run ") or fault.where in known
            ]
    return found


def verify_runs(lake: Lake, table: RunTable, run_ids: Sequence[str]) -> Verified:
    """As verify, of these runs alone: their rows, files, snapshots and descriptions. The table was read after they finished."""
    runs = table.rows.filter(pl.col("run_id").is_in(run_ids))
    found = Verified(runs=runs.height)
    for run_id in set(run_ids).difference(runs["run_id"]):
        found.blame(f"run {run_id}", "was published, and the table of runs has no row of it")
    _check_snapshots(lake, [], runs, found)
    _check_labels(lake, table, runs, found)
    _check_descriptions(lake, [], runs, found)
    return found


def _list(lake: Lake, table: Table) -> list[str]:
    """The files of a table, relative to it; those that a killed writer left unfinished are seen by no reader."""
    top = lake.path(table) + "/"
    names = (file.url.removeprefix(top) for file in list_everything(lake.path(table), lake.storage))
    return [name for name in names if not name.rpartition("/")[2].startswith(".")]


def _check_strangers(files: list[str], staged: set[str], table: RunTable, found: Verified) -> None:
    named, finished = named_files(table.rows), set(table.rows["run_id"])
    for file in files:
        path = f"labels/{file}"
        if path in named or not (match := re.fullmatch(LAYOUT["labels"], file)):
            continue
        is_late = match[2] in finished and re.fullmatch(PUBLISHED, path.rpartition("/")[2])
        if path in table.replaced or match[2] in staged or is_late:
            found.left_over += 1
        else:
            found.blame(
                path, "is named by no run, and no run that is unfinished writes it; remove it: laketag clean"
            )


def _check_snapshots(lake: Lake, files: list[str], runs: pl.DataFrame, found: Verified) -> None:
    """Each complete snapshot is readable; a run names a complete one with the rows that it counted."""
    counts: dict[tuple[str, str], range | None] = {}
    for file in files:
        if match := re.fullmatch(LAYOUT["index"], file):
            counts[match[1], match[2]] = None
    wanted = dict.fromkeys(runs.select("collection", "snapshot").iter_rows())  # also those written since
    for collection, name in counts | wanted:
        try:
            if snapshot := open_snapshot(lake, collection, name):
                rows = sum(count_rows(url, lake.storage) for url in snapshot.files)
                # a run counted them before images were forgotten, or afterwards
                counts[collection, name] = range(rows, rows + count_forgotten(lake, snapshot) + 1)
                found.snapshots += 1
            elif (collection, name) not in wanted:
                found.left_over += 1
        except UNREADABLE_ERRORS as error:
            found.blame(
                f"index/collection={collection}/snapshot={name}", f"cannot be read: {_first_line(error)}"
            )
            counts[collection, name] = UNREADABLE
    for run in runs.iter_rows(named=True):
        known = counts.get((run["collection"], run["snapshot"]))
        if known is None:
            found.blame(f"run {run['run_id']}", f"its snapshot {run['snapshot']} is missing or incomplete")
        elif run["index_rows"] not in known:
            found.blame(
                f"run {run['run_id']}",
                f"counts {run['index_rows']:,} images in the index, and its snapshot {run['snapshot']} has {known[-1]:,}",
            )
        if run["left"] is not None and (
            run["index_rows"] != run["already_done"] + run["planned"] + run["left"]
        ):
            found.blame(
                f"run {run['run_id']}",
                f"{run['index_rows']:,} images in the index are not {run['already_done']:,} done + "
                f"{run['planned']:,} planned + {run['left']:,} left",
            )


def _check_labels(lake: Lake, table: RunTable, wanted: pl.DataFrame, found: Verified) -> None:
    """Each file that the wanted runs name is as they say, and has each row that they count, once."""
    namers: dict[str, list[str]] = defaultdict(list)
    for run_id, files in table.rows.select("run_id", "files").iter_rows():
        for path in files:
            namers[path].append(run_id)
    for _, runs in wanted.group_by("collection", "classifier", maintain_order=True):
        keys = WorkKeys(runs)
        outcomes: Counter[tuple[str, str]] = Counter()
        complete = True
        for file in _unique_files(runs):
            rows = _read_labels(lake, file, found)
            if rows is None:
                complete = False
                continue
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
        if complete:
            _check_counts(runs, outcomes, found)
        for image_id, what in keys.doubles(partial(_find_ids, lake, runs)):
            found.blame(f"image {image_id}", what)


def _unique_files(runs: pl.DataFrame) -> Iterator[LabelFile]:
    """The files in the order of the runs; of what several runs say of one file, that which is known counts."""
    files: dict[str, LabelFile] = {}
    for run in runs.iter_rows(named=True):
        for file in files_of(run):
            if file.path not in files or files[file.path].rows is None:
                files[file.path] = file
    yield from files.values()


def _read_labels(lake: Lake, file: LabelFile, found: Verified) -> pl.DataFrame | None:
    """The columns of the file that are checked; None, and a fault, if it is missing, changed or no label file."""
    url = f"{lake.root}/{file.path}"
    try:
        (content,) = read_files([url], lake.storage)
    except FileNotFoundError:
        if file.path in named_files(
            read_run_table(lake).rows
        ):  # compacted or forgotten since, unless it is still named
            found.blame(file.path, "is missing, but runs name it")
        return None
    if file.sha256 is not None and hashlib.sha256(content).hexdigest() != file.sha256:
        if file.path in named_files(read_run_table(lake).rows):
            found.blame(
                file.path, "was changed after it was published: its SHA-256 is not that in the row of its run"
            )
        return None
    try:
        rows = decode_labels(content, url)
    except InputError as error:
        found.blame(file.path, f"is no table of labels: {_first_line(error)}")
        return None
    if file.rows is not None and rows.height != file.rows:
        found.blame(file.path, f"has {rows.height:,} rows, and its run says {file.rows:,}")
    return rows


def _check_counts(runs: pl.DataFrame, outcomes: Counter[tuple[str, str]], found: Verified) -> None:
    for run in runs.iter_rows(named=True):
        said = {LABELLED: run["labelled"]} | {entry["reason"]: entry["images"] for entry in run["failures"]}
        for kind in sorted(said.keys() | {kind for run_id, kind in outcomes if run_id == run["run_id"]}):
            have, want = outcomes[run["run_id"], kind], said.get(kind, 0)
            if have != want:
                found.blame(
                    f"run {run['run_id']}", f"counts {want:,} images as {kind}, and its files have {have:,}"
                )


def _find_ids(lake: Lake, runs: pl.DataFrame, hashes: list[int]) -> dict[int, str]:
    """The ids of images with these hashes."""
    found: dict[int, str] = {}
    for file in _unique_files(runs):
        url = f"{lake.root}/{file.path}"
        ids = decode_labels(read_files([url], lake.storage)[0], url)["image_id"]
        hashed = ids.hash()
        mask = hashed.is_in(hashes)
        found |= dict(zip(hashed.filter(mask), ids.filter(mask), strict=True))
        if len(found) == len(set(hashes)):
            break
    return found


def _check_descriptions(lake: Lake, files: list[str], runs: pl.DataFrame, found: Verified) -> None:
    versions = {
        (match[1], match[2]) for file in files if (match := re.fullmatch(LAYOUT["descriptions"], file))
    }
    for set_name, version in sorted(versions):
        try:
            read_descriptions_table(lake, set_name, version)
        except UNREADABLE_ERRORS as error:
            found.blame(
                f"descriptions/set={set_name}/version={version}", f"cannot be read: {_first_line(error)}"
            )
    for run in runs.iter_rows(named=True):
        set_name, version = run["description_set"], run["description_version"]
        if (set_name, version) not in versions and version not in list_versions(lake, set_name):
            found.blame(
                f"run {run['run_id']}",
                f"version {run['description_version']} of its descriptions {run['description_set']} is missing",
            )


def _first_line(error: BaseException) -> str:
    """What the error says, without the URL at its beginning."""
    return re.sub(r"^\S+\.parquet: ", "", " ".join(str(error).split()))[:200]

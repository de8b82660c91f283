"""Moving a run's staged parts into the label table, and committing the run."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from laketag.pipeline.errors import BusyError, LedgerError, StorageError
from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.id_ranges import IdRange, split_staged
from laketag.pipeline.lake.label_files import LabelFile, file_columns, kept_columns, store_run_file
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.ledger import Ledger, balance
from laketag.pipeline.lake.outcomes import cut_into_files
from laketag.pipeline.lake.paths import RUN_TABLES, Lake
from laketag.pipeline.lake.publish_kept import publish_kept
from laketag.pipeline.lake.run_speed import RunSpeed, Spent, measure_run
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import Run
from laketag.pipeline.lake.tables import create_table, encode_table
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import list_files, remove_folder
from laketag.pipeline.version import laketag_version
from laketag.schemas import Labels, Runs

WRITER_DIGITS = 8
"""How much of the holder of the lease is in the names of label files."""


@dataclass(frozen=True)
class Published:
    """A committed run, its balanced ledger, and the folder of its label files."""

    run: Run
    ledger: Ledger
    folder: str
    speed: RunSpeed
    row: pl.DataFrame
    """The run's row (schemas.Runs)."""


@dataclass(frozen=True)
class Written:
    """A run as it is published, before it is committed."""

    run: Run
    ledger: Ledger
    files: list[LabelFile]
    kept_files: list[LabelFile]
    work: pl.DataFrame
    """What its rows have cost."""

    @property
    def paths(self) -> set[str]:
        """All its files, relative to the root."""
        return {file.path for file in (*self.files, *self.kept_files)}


@dataclass(frozen=True)
class Cut:
    """That a run is published before all of it is done."""

    failed_before: pl.DataFrame
    """What find_failures returned when the call began: failures that it was to try again, so images are not done by them."""


def publish(
    lake: Lake, run: Run, lease: Lease, spent: Spent | None = None, *, cut: Cut | None = None
) -> Published | None:
    """The run's rows are in the label table, sorted by image_id, and the run is committed.

    The run exists for readers once its row is created, by one conditional write; until then nobody reads its files. Their
    names have the holder of the lease in them: of two processes that publish one run, none touches a file of the other.

    A run that is cut is published as one that planned only the images that are done, and left the others; None if there
    are none, and it stays unfinished. Its frozen plan is as before until then: the next call may complete it instead.
    """
    folder = lake.labels(run.collection, run.classifier, run.run_id)
    try:
        written = _write(lake, run, lease, cut)
        if written is None:
            lease.check()  # nothing may be staged because the run is published
            return None
        speed = measure_run(written.work, spent or Spent())
        row = _make_row(written) | dataclasses.asdict(speed) | {"writer": lease.writer}
        rows = pl.DataFrame([row], schema=Runs.create_empty().schema)
        named = {f"{lake.root}/{path}" for path in written.paths}
        others = [
            url for url in _list_own(lake, run) if url not in named
        ]  # no other run of this id is committed
        _commit(lake, rows, lease)
    except BusyError:
        _remove(lake, [url for url in _list_own(lake, run) if lease.writer[:WRITER_DIGITS] in url])
        raise
    _remove(lake, others)
    remove_folder(lake.staging(run.run_id), lake.storage)
    return Published(written.run, written.ledger, folder, speed, rows)


def _list_own(lake: Lake, run: Run) -> list[str]:
    """The files below the run's folders, in all tables that runs write."""
    folders = [lake.of_run(table, run.collection, run.classifier, run.run_id) for table in RUN_TABLES]
    return [url for folder in folders for url in list_files(folder, lake.storage)]


def _write(lake: Lake, run: Run, lease: Lease, cut: Cut | None) -> Written | None:
    """The run's files are written; returns the run as it is published, or None if nothing of it is done."""
    lease.check()

    def keep(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(cut.failed_before.lazy(), on=cut.failed_before.columns, how="anti") if cut else rows

    try:
        with split_staged(lake, run.run_id, run.planned, keep) as staged:
            ledger = balance(lake, run, staged.ranges, may_leave=cut is not None)
            published = dataclasses.replace(
                run, planned=run.planned - ledger.undone, left=run.left + ledger.undone
            )
            if cut and not published.planned:
                return None
            files, labelled = _write_files(lake, published, staged.ranges, lease)
        kept = publish_kept(lake, published, labelled, _ending(lease), lease)
        return Written(published, ledger, files, kept, staged.work)
    except (StorageError, LedgerError):
        lease.check()  # a process that took the run over has published it and removed its staged parts
        raise


def _make_row(written: Written) -> dict[str, Any]:
    """The columns of the run's row that its plan, its ledger and its files tell."""
    run, ledger = written.run, written.ledger
    started_at = datetime.fromisoformat(run.started_at)
    return {
        **dataclasses.asdict(run),  # also rows_per_file, which is no column
        "started_at": started_at,
        "labelled": ledger.labelled,
        "failures": [{"reason": reason, "images": images} for reason, images in ledger.failures.items()],
        **file_columns(written.files),
        **(kept_columns(written.kept_files) if run.keep else {}),
        "keep": run.keep or None,
        "finished_at": max(datetime.now(UTC), started_at + timedelta(microseconds=1)),  # clocks differ
        "laketag_version": laketag_version(),
    }


def _commit(lake: Lake, row: pl.DataFrame, lease: Lease) -> None:
    """The run is committed with this row; otherwise BusyError."""
    run_id = row["run_id"][0]
    lease.check()
    if not create_table(row, lake.run(run_id), Runs, lake.storage):
        raise BusyError(
            f"run {run_id} was finished by another process; run the same command again to label what it left"
        )
    if lease.is_ours() or _is_committed(lake, run_id, lease):
        return
    remove_file(lake.run(run_id), lake.storage)
    lease.lost.set()
    lease.check()


def _is_committed(lake: Lake, run_id: str, lease: Lease) -> bool:
    """Whether a row that was perhaps written after the lease was lost is the run's row, and all its files exist.

    Another process may have published the run before, and folded its row since, or have forgotten images of the files.
    """
    row = read_runs(lake).row(by_predicate=pl.col("run_id") == run_id, named=True)
    named = [f"{lake.root}/{file}" for file in (*row["files"], *(row["kept_files"] or ()))]
    folders = {url.rpartition("/")[0] for url in named}
    stored = {url for folder in folders for url in list_files(folder, lake.storage)}
    return row["writer"] == lease.writer and stored.issuperset(named)


def _ending(lease: Lease) -> str:
    return f"-{lease.writer[:WRITER_DIGITS]}.parquet"


def _remove(lake: Lake, files: Iterable[str]) -> None:
    for url in files:
        remove_file(url, lake.storage)


def _write_files(
    lake: Lake, run: Run, ranges: Iterable[IdRange], lease: Lease
) -> tuple[list[LabelFile], pl.DataFrame]:
    """The outcomes of the planned images are in label files of ``run.rows_per_file`` rows, sorted by image_id.

    Also returns the version_key of each labelled image as column ``key``, if the run keeps something beside its labels.
    """
    folder = lake.labels(run.collection, run.classifier, run.run_id)
    count = math.ceil(run.planned / run.rows_per_file)
    files: list[LabelFile] = []
    labelled = [pl.DataFrame(schema={"key": pl.UInt128})]
    for part in cut_into_files(ranges, run.rows_per_file):
        data = encode_table(part, Labels)  # checked when they were staged
        lease.check()
        name = f"part-{len(files):05d}-of-{count:05d}{_ending(lease)}"
        files.append(store_run_file(lake, f"{folder}/{name}", data, part.height))
        if run.keep:
            labelled.append(part.filter(pl.col("label").is_not_null()).select(key=version_key()))
    return files, pl.concat(labelled)

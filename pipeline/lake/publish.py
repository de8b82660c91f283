"""Moving a run's staged parts into the label table, and committing the run."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from laketag.pipeline.errors import BusyError, LedgerError, StorageError
from laketag.pipeline.lake.id_ranges import IdRange, split_staged
from laketag.pipeline.lake.label_files import LabelFile, file_columns, store_label_file
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.ledger import Ledger, balance
from laketag.pipeline.lake.outcomes import cut_into_files
from laketag.pipeline.lake.paths import Lake
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
        run, ledger, files = written.run, written.ledger, written.files
        row = _make_row(run, ledger, files) | dataclasses.asdict(speed) | {"writer": lease.writer}
        rows = pl.DataFrame([row], schema=Runs.create_empty().schema)
        named = [f"{lake.root}/{file.path}" for file in files]
        others = sorted(
            set(list_files(folder, lake.storage)) - set(named)
        )  # no other run of this id is committed
        _commit(lake, rows, lease)
    except BusyError:
        _remove(
            lake, [url for url in list_files(folder, lake.storage) if lease.writer[:WRITER_DIGITS] in url]
        )
        raise
    _remove(lake, others)
    remove_folder(lake.staging(run.run_id), lake.storage)
    return Published(run, ledger, folder, speed, rows)


@dataclass(frozen=True)
class _Written:
    """A run as it is published, its label files, and what its rows have cost."""

    run: Run
    ledger: Ledger
    files: list[LabelFile]
    work: pl.DataFrame


def _write(lake: Lake, run: Run, lease: Lease, cut: Cut | None) -> _Written | None:
    """The run's label files are written; None if nothing of it is done."""
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
            files = _write_files(lake, published, staged.ranges, lease)
            return _Written(published, ledger, files, staged.work)
    except (StorageError, LedgerError):
        lease.check()  # a process that took the run over has published it and removed its staged parts
        raise


def _make_row(run: Run, ledger: Ledger, files: Sequence[LabelFile]) -> dict[str, Any]:
    """The columns of the run's row that its plan, its ledger and its files tell."""
    started_at = datetime.fromisoformat(run.started_at)
    return {
        **dataclasses.asdict(run),  # also rows_per_file, which is no column
        "started_at": started_at,
        "labelled": ledger.labelled,
        "failures": [{"reason": reason, "images": images} for reason, images in ledger.failures.items()],
        **file_columns(files),
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
    folders = {f"{lake.root}/{file}".rpartition("/")[0] for file in row["files"]}
    stored = {url for folder in folders for url in list_files(folder, lake.storage)}
    return row["writer"] == lease.writer and stored.issuperset(f"{lake.root}/{file}" for file in row["files"])


def _ending(lease: Lease) -> str:
    return f"-{lease.writer[:WRITER_DIGITS]}.parquet"


def _remove(lake: Lake, files: Iterable[str]) -> None:
    for url in files:
        remove_file(url, lake.storage)


def _write_files(lake: Lake, run: Run, ranges: Iterable[IdRange], lease: Lease) -> list[LabelFile]:
    """The outcomes of the planned images are in label files of ``run.rows_per_file`` rows, sorted by image_id."""
    folder = lake.labels(run.collection, run.classifier, run.run_id)
    count = math.ceil(run.planned / run.rows_per_file)
    files: list[LabelFile] = []
    for part in cut_into_files(ranges, run.rows_per_file):
        data = encode_table(part, Labels)  # checked when they were staged
        lease.check()
        name = f"part-{len(files):05d}-of-{count:05d}{_ending(lease)}"
        files.append(store_label_file(lake, f"{folder}/{name}", data, part.height))
    return files

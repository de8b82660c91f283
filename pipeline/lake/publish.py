"""Moving a run's staged parts into the label table, and committing the run."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from laketag.pipeline.errors import BusyError, LedgerError, StorageError
from laketag.pipeline.lake.id_ranges import split_plan
from laketag.pipeline.lake.label_files import LabelFile, file_columns, store_label_file
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.ledger import ROWS_AT_ONCE, Ledger, balance, pick_outcomes
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, list_parts, scan_parts, scan_plan
from laketag.pipeline.lake.tables import create_table, encode_table
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import list_files, remove_folder
from laketag.pipeline.store.outages import through_outages
from laketag.pipeline.version import laketag_version
from laketag.schemas import Labels, Runs

ROWS_IN_MEMORY = 500_000
"""How many label rows are held while they are sorted into files, or ``run.rows_per_file`` if that is more; a kB each."""


@dataclass(frozen=True)
class Published:
    """A committed run, its balanced ledger, and the folder of its label files."""

    run: Run
    ledger: Ledger
    folder: str
    images_per_s: float
    """Images done in a second; 0 if only the publication was left to do."""
    row: pl.DataFrame
    """The run's row (schemas.Runs)."""


def publish(
    lake: Lake, run: Run, lease: Lease, images_per_s: float, *, cut: bool = False
) -> Published | None:
    """The run's rows are in the label table, sorted by image_id, and the run is committed.

    File names are deterministic, so a publication that was killed is repeated. The run exists for readers once its row
    is created, by one conditional write; until then nobody reads its files.

    A run that is ``cut`` is published as one that planned only the images that are done, and left the others; None if there
    are none, and it stays unfinished. Its frozen plan is as before until then: the next call may complete it instead.
    """
    lease.check()
    parts = list_parts(lake, run.run_id)  # once: a part staged later is neither counted nor published
    folder = lake.labels(run.collection, run.classifier, run.run_id)

    def write() -> tuple[Run, Ledger, list[LabelFile]] | None:
        plan = scan_plan(lake, run.run_id).select("image_id", "etag").sort("image_id").collect()
        published = run
        if cut:
            published, plan = _leave_undone(lake, run, plan, parts)
            if plan.is_empty():
                return None
        ledger = balance(lake, published, plan, parts)
        files = _write_files(lake, published, plan, parts, lease)
        _remove_others(lake, published, [file.path for file in files])
        return published, ledger, files

    try:
        written = through_outages(lake.root, lake.storage, write)
    except (StorageError, LedgerError):
        lease.check()  # a process that took the run over has published it and removed its staged parts
        raise
    if written is None:
        return None
    run, ledger, files = written
    started_at = datetime.fromisoformat(run.started_at)
    row = {
        **dataclasses.asdict(run),  # also rows_per_file and left, which are no columns
        "started_at": started_at,
        "labelled": ledger.labelled,
        "failures": [{"reason": reason, "images": images} for reason, images in ledger.failures.items()],
        **file_columns(files),
        "finished_at": max(datetime.now(UTC), started_at + timedelta(microseconds=1)),  # clocks differ
        "images_per_s": images_per_s,
        "writer": lease.writer,
        "laketag_version": laketag_version(),
    }
    rows = pl.DataFrame([row], schema=Runs.create_empty().schema)
    lease.check()
    if not create_table(rows, lake.run(run.run_id), Runs, lake.storage):
        raise BusyError(
            f"run {run.run_id} was finished by another process; its labels are complete, nothing is left to do"
        )
    remove_folder(lake.staging(run.run_id), lake.storage)
    return Published(run, ledger, folder, images_per_s, rows)


def _leave_undone(lake: Lake, run: Run, plan: pl.DataFrame, parts: Sequence[str]) -> tuple[Run, pl.DataFrame]:
    """The run as if it had planned only what the parts have an outcome of, and left the rest; and that plan."""
    done = scan_parts(lake, run.run_id, parts).select(plan.columns)
    ranges = split_plan(plan, ROWS_AT_ONCE)
    planned = pl.concat(
        images.plan.join(
            done.filter(images.holds).collect(), on=plan.columns, how="semi", maintain_order="left"
        )
        for images in ranges
    )
    left = run.left + plan.height - planned.height
    return dataclasses.replace(run, planned=planned.height, left=left), planned


def _remove_others(lake: Lake, run: Run, files: Sequence[str]) -> None:
    """The run's folder has these files only: a publication that was killed may have cut the plan at another image."""
    folder = lake.labels(run.collection, run.classifier, run.run_id)
    for url in list_files(folder, lake.storage):
        if url.removeprefix(lake.root + "/") not in files:
            remove_file(url, lake.storage)


def _write_files(
    lake: Lake, run: Run, plan: pl.DataFrame, parts: Sequence[str], lease: Lease
) -> list[LabelFile]:
    """The rows of the planned images (sorted) are in label files of ``run.rows_per_file`` rows."""
    folder = lake.labels(run.collection, run.classifier, run.run_id)
    count = math.ceil(plan.height / run.rows_per_file)
    files: list[LabelFile] = []
    rows = scan_parts(lake, run.run_id, parts)
    for images in split_plan(plan, max(1, ROWS_IN_MEMORY // run.rows_per_file) * run.rows_per_file):
        picked = pick_outcomes(rows.filter(images.holds).collect())  # checked when they were staged
        for part in picked.iter_slices(run.rows_per_file):
            data = encode_table(part, Labels)
            lease.check()
            url = f"{folder}/part-{len(files):05d}-of-{count:05d}.parquet"
            files.append(store_label_file(lake, url, data, part.height))
    return files

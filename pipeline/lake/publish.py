"""Moving a run's staged parts into the label table, and committing it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.errors import BusyError, LedgerError, StorageError
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.ledger import Ledger, balance, pick_outcomes
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, list_parts, scan_parts, scan_plan
from laketag.pipeline.lake.tables import create_table, write_table
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.folders import remove_folder
from laketag.schemas import Labels, Runs


@dataclass(frozen=True)
class Published:
    """A committed run: its balanced ledger and where its rows lie."""

    run: Run
    ledger: Ledger
    folder: str


def publish(lake: Lake, run: Run, lease: Lease, *, images_per_s: float, version: str) -> Published:
    """The run's rows are in the label table, sorted by image_id, and the run is committed.

    Files have deterministic names, so a publication that was killed is simply repeated. The run counts from the moment
    its row is created, by one conditional write; before it nobody reads the files.
    """
    lease.check()
    parts = list_parts(lake, run.run_id)  # once: what is staged from now on is neither counted nor published
    folder = lake.labels(run.collection, run.classifier, run.run_id)
    try:
        with store_errors(lake.root):
            ledger = balance(lake, run, parts)
            files = _write_files(lake, run, parts, folder, lease)
    except (StorageError, LedgerError):
        lease.check()  # whoever took it over has published, and removed staging
        raise
    row = _run_row(run, ledger, files, lease, images_per_s, version)
    lease.check()
    if not create_table(row, lake.run(run.run_id), Runs, lake.storage):
        raise BusyError(
            f"run {run.run_id} was finished by another process; its labels are complete, nothing is left to do"
        )
    remove_folder(lake.staging(run.run_id), lake.storage)
    return Published(run, ledger, folder)


def _write_files(lake: Lake, run: Run, parts: Sequence[str], folder: str, lease: Lease) -> list[str]:
    """The rows of the parts lie in the folder, ``run.rows_per_file`` to a file; returns the files' paths in the lake."""
    ids = scan_plan(lake, run.run_id).select("image_id").sort("image_id").collect()["image_id"]
    count = math.ceil(len(ids) / run.rows_per_file)
    files = []
    for number in range(count):
        wanted = ids.slice(number * run.rows_per_file, run.rows_per_file)
        rows = scan_parts(lake, run.run_id, parts).filter(
            pl.col("image_id").is_between(pl.lit(wanted[0]), pl.lit(wanted[-1]))
        )
        outcomes = pick_outcomes(rows.collect())
        lease.check()
        url = f"{folder}/part-{number:05d}-of-{count:05d}.parquet"
        write_table(outcomes, url, Labels, lake.storage)
        files.append(url.removeprefix(lake.root + "/"))
    return files


def _run_row(
    run: Run, ledger: Ledger, files: list[str], lease: Lease, images_per_s: float, version: str
) -> pl.DataFrame:
    row = {
        "run_id": run.run_id,
        "collection": run.collection,
        "snapshot": run.snapshot,
        "classifier": run.classifier,
        "description_set": run.description_set,
        "description_version": run.description_version,
        "method": run.method,
        "index_rows": ledger.index_rows,
        "already_done": ledger.already_done,
        "planned": ledger.planned,
        "labelled": ledger.labelled,
        "failures": [{"reason": reason, "images": images} for reason, images in ledger.failures.items()],
        "files": files,
        "settings": run.settings,
        "models": run.models,
        "started_at": datetime.fromisoformat(run.started_at),
        "finished_at": datetime.now(UTC),
        "images_per_s": images_per_s,
        "writer": lease.writer,
        "laketag_version": version,
    }
    return Runs.validate(pl.DataFrame([row], schema=Runs.create_empty().schema), cast=True)

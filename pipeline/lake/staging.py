"""Staging: a run's frozen plan and the parts it has labelled, until it is published.

``staging/R/plan/*.parquet`` is written first, ``staging/R/run.json`` after it: a folder without ``run.json`` is a plan that
was never frozen. ``staging/R/parts/*.parquet`` are the labelled parts, named by the images in them.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import scan_table, write_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.files import read_json
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.schemas import Labels, Plan

PLAN_ROWS_PER_FILE = 100_000
UNSAID_ROWS_PER_FILE = 100_000
"""The default of run.rows_per_file, for runs that were planned before it was frozen with them."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run froze when it was planned; its row in the runs table says the rest."""

    run_id: str
    collection: str
    snapshot: str
    classifier: str
    description_set: str
    description_version: str
    method: str
    index_rows: int
    already_done: int
    planned: int
    rows_per_file: int
    settings: str
    models: str
    started_at: str


def freeze_plan(lake: Lake, run: Run, pending: pl.DataFrame) -> None:
    """The run and its pending rows (schemas.Plan) are in staging."""
    for number, rows in enumerate(pending.iter_slices(PLAN_ROWS_PER_FILE)):
        write_table(rows, f"{lake.staging(run.run_id)}/plan/part-{number:05d}.parquet", Plan, lake.storage)
    frozen = json.dumps(dataclasses.asdict(run), indent=1).encode()
    write_bytes(f"{lake.staging(run.run_id)}/run.json", frozen, lake.storage)


def find_unfinished(lake: Lake, collection: str, classifier: str, finished: Iterable[str]) -> Run | None:
    """The oldest frozen run of this collection and classifier that is not finished.

    Must be called under the lease on both: what finished runs and never frozen plans left in staging is removed on the way.
    """
    done = set(finished)
    suffix = run_suffix(collection, classifier)
    for run_id in list_folders(lake.path("staging"), lake.storage):
        if not run_id.endswith(suffix):
            continue
        frozen = read_json(f"{lake.staging(run_id)}/run.json", lake.storage)
        if run_id in done or frozen is None:
            remove_folder(lake.staging(run_id), lake.storage)
            continue
        return Run(**{"rows_per_file": UNSAID_ROWS_PER_FILE} | frozen)
    return None


def run_suffix(collection: str, classifier: str) -> str:
    """The end of the ids of all runs with this collection and classifier."""
    return "-" + hashlib.blake2b(f"{collection}\n{classifier}".encode(), digest_size=6).hexdigest()


def scan_plan(lake: Lake, run_id: str) -> pl.LazyFrame:
    """The run's frozen plan (schemas.Plan), lazily; empty once the run is published."""
    files = list_files(f"{lake.staging(run_id)}/plan", lake.storage)
    return scan_table(files, Plan, lake.storage) if files else Plan.create_empty(lazy=True)


def list_parts(lake: Lake, run_id: str) -> list[str]:
    """URLs of the parts that the run has staged so far."""
    return list_files(f"{lake.staging(run_id)}/parts", lake.storage)


def scan_parts(lake: Lake, run_id: str, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """All rows (schemas.Labels) of these parts, or of those that are there now, lazily; a row tried twice is there twice."""
    files = list_parts(lake, run_id) if parts is None else parts
    return scan_table(files, Labels, lake.storage) if files else Labels.create_empty(lazy=True)


def write_part(lake: Lake, run_id: str, rows: pl.DataFrame) -> None:
    """The rows (schemas.Labels) are staged as one part; the same images with the same outcome write the same name again."""
    content = rows.select("image_id", "label", "failure").sort("image_id").write_csv()
    name = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
    write_table(rows, f"{lake.staging(run_id)}/parts/{name}.parquet", Labels, lake.storage)

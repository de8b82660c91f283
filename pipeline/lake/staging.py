"""Staging: the frozen plan of a run and the parts that it has labelled, until the run is published.

Freezing a plan writes ``staging/R/plan/*.parquet`` first and ``staging/R/run.json`` last, so a folder without
``run.json`` is a plan that was never frozen. ``staging/R/parts/*.parquet`` are the labelled parts, and what the run keeps
beside them is in ``staging/R/scores/*.parquet`` and ``staging/R/embeddings/*.parquet``, in files of the same names.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from laketag.pipeline.lake.kept_tables import KEPT_SCHEMAS
from laketag.pipeline.lake.paths import TIMESTAMP, KeptTable, Lake
from laketag.pipeline.lake.tables import scan_table, write_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.files import read_json
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Labels, Plan, StagedLabels

PLAN_ROWS_PER_FILE = 100_000
PAUSED = "paused.json"
"""Takes the place of ``run.json`` while laketag forget removes rows of the plan and the parts."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as its plan froze it. All fields but ``rows_per_file`` become columns of schemas.Runs under the same names."""

    run_id: str
    collection: str
    snapshot: str
    classifier: str  # its fingerprint
    description_set: str
    description_version: str
    method: str
    index_rows: int
    already_done: int
    planned: int
    settings: str
    models: str
    started_at: str
    rows_per_file: int
    left: int = 0
    """Images that had no label either and that the plan left for later runs (``--limit``)."""
    calibration: str | None = None
    """D, the hash of the calibration that decides what is accepted, if there is one."""
    recalibrated: bool | None = None
    """Whether its rows are labels of earlier runs, decided anew from kept scores (laketag.pipeline.flows.recalibrate_labels)."""
    keep: str = ""
    """What the run keeps beside its labels, as laketag.pipeline.config.RunSettings.keep says, with spaces between."""
    encoder: str | None = None
    """What decides the embeddings that the run keeps or is made from (laketag.pipeline.classifier.encoder_identity), as JSON."""
    made_from: str | None = None
    """``embeddings=FORMAT`` of a run that labels from kept embeddings; None: it reads pixels."""


def freeze_plan(lake: Lake, run: Run, pending: pl.DataFrame) -> None:
    """The run and its pending rows (schemas.Plan) are in staging."""
    folder = lake.staging(run.run_id)
    for number, rows in enumerate(pending.iter_slices(PLAN_ROWS_PER_FILE)):
        write_table(rows, f"{folder}/plan/part-{number:05d}.parquet", Plan, lake.storage)
    write_bytes(f"{folder}/run.json", json.dumps(dataclasses.asdict(run), indent=1).encode(), lake.storage)


def find_unfinished(lake: Lake, collection: str, fingerprint: str, finished: Iterable[str]) -> list[Run]:
    """The frozen runs of this collection and classifier that are not finished, the oldest first."""
    staged = _read_staged(lake, collection, fingerprint)
    done = set(finished)
    return [Run(**frozen) for run_id, frozen in staged.items() if frozen is not None and run_id not in done]


def remove_leftovers(lake: Lake, collection: str, fingerprint: str, finished: Iterable[str]) -> None:
    """Staging folders of finished runs and of plans that were never frozen are removed; the caller holds the lease."""
    done = set(finished)
    for run_id, frozen in _read_staged(lake, collection, fingerprint).items():
        if run_id in done or frozen is None:
            remove_folder(lake.staging(run_id), lake.storage)


def _read_staged(lake: Lake, collection: str, fingerprint: str) -> dict[str, Any]:
    """The ``run.json`` of each staging folder of this collection and classifier, by run id; None where there is none.

    None, too, for a recalibrated run without all its parts: they were there before a process froze its plan, which had lost the
    lease meanwhile. Nothing is lost with it, because its labels are those of earlier runs.
    """
    suffix = run_suffix(collection, fingerprint)
    folders = list_folders(lake.path("staging"), lake.storage)
    own = [run_id for run_id in folders if run_id.endswith(suffix)]
    staged = {run_id: read_json(f"{lake.staging(run_id)}/run.json", lake.storage) for run_id in own}
    return {
        run_id: None if frozen and frozen.get("recalibrated") and _lacks_parts(lake, run_id) else frozen
        for run_id, frozen in staged.items()
    }


def _lacks_parts(lake: Lake, run_id: str) -> bool:
    """Whether there are fewer staged rows than planned ones."""

    def compare() -> bool:
        count = pl.len().alias("rows")
        counts = [rows.select(count) for rows in (scan_plan(lake, run_id), scan_parts(lake, run_id))]
        planned, staged = pl.concat(counts).collect()["rows"]
        return bool(staged < planned)

    return through_outages(lake.root, lake.storage, compare)


def find_others(lake: Lake, collection: str, fingerprint: str, finished: Iterable[str]) -> list[str]:
    """The ids of unfinished runs of the collection with other classifiers, which no call with this one goes on with."""
    suffix, done = run_suffix(collection, fingerprint), set(finished)
    names = list_folders(lake.path("staging"), lake.storage)
    others = [
        name for name in names if not name.endswith(suffix) and name not in done and TIMESTAMP.match(name)
    ]
    frozen = ((name, read_frozen(lake, name)) for name in others)
    return [name for name, run in frozen if run is not None and run["collection"] == collection]


def read_frozen(lake: Lake, run_id: str, *, is_paused: bool = True) -> dict[str, Any] | None:
    """The ``run.json`` of the staging folder, or what it was before it was paused; None if there is none."""
    paused = read_json(f"{lake.staging(run_id)}/{PAUSED}", lake.storage) if is_paused else None
    return paused or read_json(f"{lake.staging(run_id)}/run.json", lake.storage)


def run_suffix(collection: str, fingerprint: str) -> str:
    """The end of the id of every run with this collection and classifier."""
    return "-" + hashlib.blake2b(f"{collection}\n{fingerprint}".encode(), digest_size=6).hexdigest()


def scan_plan(lake: Lake, run_id: str) -> pl.LazyFrame:
    """The run's frozen plan (schemas.Plan), lazily; empty once the run is published."""
    files = list_plan(lake, run_id)
    return scan_table(files, Plan, lake.storage) if files else Plan.create_empty(lazy=True)


def list_plan(lake: Lake, run_id: str) -> list[str]:
    """URLs of the files of the run's frozen plan, in its order; none once the run is published."""
    return list_files(f"{lake.staging(run_id)}/plan", lake.storage)


def read_planned(lake: Lake, run_id: str) -> pl.DataFrame:
    """The image_id and etag of each row of the run's frozen plan."""
    return through_outages(
        lake.root, lake.storage, lambda: scan_plan(lake, run_id).select("image_id", "etag").collect()
    )


def list_parts(lake: Lake, run_id: str) -> list[str]:
    """URLs of the parts that the run has staged so far."""
    return list_files(f"{lake.staging(run_id)}/parts", lake.storage)


def scan_parts(lake: Lake, run_id: str, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """All rows (schemas.Labels) of these parts, or of those staged so far, lazily; one row for each try of an image."""
    files = list_parts(lake, run_id) if parts is None else parts
    return scan_table(files, Labels, lake.storage) if files else Labels.create_empty(lazy=True)


def find_failures(lake: Lake, run_id: str) -> pl.DataFrame:
    """The failures that are staged so far: image_id, etag and the time of each, by which it differs from a later one."""

    def find() -> pl.DataFrame:
        failed = scan_parts(lake, run_id).filter(pl.col("failure").is_not_null())
        return failed.select("image_id", "etag", "labelled_at").collect()

    return through_outages(lake.root, lake.storage, find)


def write_part(
    lake: Lake, run_id: str, rows: pl.DataFrame, kept: Mapping[KeptTable, pl.DataFrame] | None = None
) -> None:
    """The rows (schemas.StagedLabels; ``work`` may be left out) are one staged part, named by a hash of images and outcomes.

    So a task that Ray repeats writes the same file again. Label rows are checked against their contract here and nowhere
    else: a bad row that was staged could never be published, and publishing only picks and sorts rows that were checked.

    ``kept`` are the rows of the tables that the run keeps beside the labels. They are staged first: of each staged label they
    are there too, wherever the process is killed.
    """
    content = rows.select("image_id", "label", "failure").sort("image_id").write_csv()
    name = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
    for table, beside in (kept or {}).items():
        write_table(
            beside, f"{lake.staging(run_id)}/{table}/{name}.parquet", KEPT_SCHEMAS[table], lake.storage
        )
    staged = rows if "work" in rows.columns else rows.with_columns(work=pl.lit(None, StagedLabels.work.dtype))
    write_table(staged, f"{lake.staging(run_id)}/parts/{name}.parquet", StagedLabels, lake.storage)

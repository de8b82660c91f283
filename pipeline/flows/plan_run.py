"""Planning a labelling run: which images are still to be labelled, frozen in staging."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.config import Settings
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import Run, freeze_plan, run_suffix, scan_parts, scan_plan
from laketag.pipeline.store.errors import store_errors

SETTINGS_OF_LABELS = {"backbone", "attention", "method", "decode"}
"""The settings that decide what a label is; a run's row keeps them."""


@dataclass(frozen=True, kw_only=True)
class LabelRequest:
    """Which collection to label with the classes of which description set."""

    collection: str
    set_name: str
    retry: Sequence[str] = ()
    """Reasons of permanent failures; images that failed for one of them are tried again."""


@dataclass(frozen=True)
class NothingToDo:
    """Every image of the index is done with this classifier."""

    index_rows: int
    snapshot: str
    classifier: str
    queried: (
        str  # the classifier whose labels queries of this collection and set show: the one that labelled last
    )
    failed: dict[str, int]  # images without a label, by reason


def plan_run(
    lake: Lake, request: LabelRequest, classifier: ChosenClassifier, settings: Settings
) -> Run | NothingToDo:
    """A new run with its plan frozen in staging, unless every image of the newest snapshot is done."""
    collection = request.collection
    snapshot = latest_snapshot(lake, collection)
    pending = find_pending(lake, snapshot, collection, classifier.fingerprint, request.retry)
    if pending.rows.is_empty():
        return NothingToDo(
            pending.index_rows,
            snapshot.name,
            classifier.fingerprint,
            _queried(lake, collection, classifier),
            pending.failed,
        )
    run = Run(
        run_id=timestamp() + run_suffix(collection, classifier.fingerprint),
        collection=collection,
        snapshot=snapshot.name,
        classifier=classifier.fingerprint,
        description_set=classifier.description_set,
        description_version=classifier.description_version,
        method=classifier.method,
        index_rows=pending.index_rows,
        already_done=pending.index_rows - pending.rows.height,
        planned=pending.rows.height,
        rows_per_file=settings.run.rows_per_file,
        settings=json.dumps(settings.model_dump(mode="json", include=SETTINGS_OF_LABELS)),
        models=json.dumps(classifier.models),
        started_at=datetime.now(UTC).isoformat(),
    )
    freeze_plan(lake, run, pending.rows)
    return run


def find_unlabelled(lake: Lake, run: Run) -> pl.DataFrame:
    """The planned rows (schemas.Plan) that have no label in staging, in the order of the plan.

    A row that failed before an interruption is among them: what interrupted the run may have failed it.
    """
    labelled = scan_parts(lake, run.run_id).filter(pl.col("label").is_not_null()).select("image_id", "etag")
    plan = scan_plan(lake, run.run_id)
    with store_errors(lake.root):
        return plan.join(labelled, on=["image_id", "etag"], how="anti", maintain_order="left").collect()


def _queried(lake: Lake, collection: str, classifier: ChosenClassifier) -> str:
    """The classifier of the newest run of the collection with the same description set."""
    runs = read_runs(lake, collection).filter(pl.col("description_set") == classifier.description_set)
    return str(runs["classifier"][-1]) if runs.height else classifier.fingerprint

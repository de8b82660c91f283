"""A labelling run: plan → read → fetch → decode → label → write → publish."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier, choose_classifier
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.label_pending import label_pending
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.publish import Published, publish
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import Run, find_unfinished, freeze_plan, run_suffix
from laketag.schemas import LABEL_SCHEMA_VERSION


@dataclass(frozen=True)
class NothingToDo:
    """Every image of the index is done with this classifier."""

    index_rows: int
    snapshot: str
    classifier: str
    queried: str  # the classifier that queries of this collection and set show, as it labelled last
    failed: dict[str, int]  # images without a label, by reason


def label_images(
    lake: Lake,
    collection: str,
    set_name: str,
    settings: Settings,
    console: Console,
    retry: Iterable[str] = (),
) -> list[Published] | NothingToDo:
    """Every image of the newest index snapshot has a row for this classifier in the label table.

    An unfinished run of the same collection and classifier is finished first, with its own frozen plan. Images that
    failed for a reason in ``retry`` are tried again.
    """
    classifier = choose_classifier(settings, latest_embedded_set(lake, set_name), LABEL_SCHEMA_VERSION)
    published: list[Published] = []
    with hold_lease(
        lake, f"{collection}{run_suffix(collection, classifier.fingerprint)}", console.print
    ) as lease:

        def finish(run: Run) -> None:
            images_per_s = label_pending(lake, run, classifier, settings, console, lease)
            published.append(publish(lake, run, lease, images_per_s))

        finished = read_runs(lake, collection, classifier.fingerprint)["run_id"]
        while unfinished := find_unfinished(lake, collection, classifier.fingerprint, finished):
            console.print(f"going on with run {unfinished.run_id}, planned {unfinished.started_at[:19]} UTC")
            finish(unfinished)
        planned = plan_run(lake, collection, classifier, settings, retry)
        if isinstance(planned, Run):
            finish(planned)  # once: what failed for a passing reason is for the next call
            return published
    return published or planned


def plan_run(
    lake: Lake, collection: str, classifier: ChosenClassifier, settings: Settings, retry: Iterable[str] = ()
) -> Run | NothingToDo:
    """A new run with its plan frozen in staging, if the index holds anything that is not done."""
    snapshot = latest_snapshot(lake, collection)
    pending = find_pending(lake, snapshot, collection, classifier.fingerprint, retry)
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
        settings=json.dumps(
            settings.model_dump(mode="json", include={"backbone", "attention", "method", "decode"})
        ),
        models=json.dumps(classifier.models),
        started_at=datetime.now(UTC).isoformat(),
    )
    freeze_plan(lake, run, pending.rows)
    return run


def _queried(lake: Lake, collection: str, classifier: ChosenClassifier) -> str:
    """The classifier of the newest run of the collection with the same description set."""
    runs = read_runs(lake, collection).filter(pl.col("description_set") == classifier.description_set)
    return str(runs["classifier"][-1]) if runs.height else classifier.fingerprint

"""Planning a labelling run: which images are still to be labelled, frozen in staging."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import polars as pl

from laketag.pipeline.classifier.choose_classifier import (
    ChosenClassifier,
    choose_classifier,
    recall_classifier,
)
from laketag.pipeline.classifier.encoder_identity import encoder_identity
from laketag.pipeline.cluster.work_stop import WorkStop
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.classifier_name import name_as_in_lake
from laketag.pipeline.flows.kept_encoders import from_kept
from laketag.pipeline.images.failure_dependencies import failure_dependencies
from laketag.pipeline.lake.calibrations import newest_calibration
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.forgotten import read_forgotten
from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.kept_tables import embedding_format
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.plan import draw_sample, find_pending
from laketag.pipeline.lake.retries import RetryRules
from laketag.pipeline.lake.runs import are_hidden, select_runs_of
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import (
    Run,
    find_unfinished,
    freeze_plan,
    read_planned,
    run_suffix,
    scan_parts,
    scan_plan,
)
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.outages import through_outages

SETTINGS_OF_LABELS = {"backbone", "attention", "method", "decode"}
"""The settings that decide what a label is; a run's row keeps them."""
REVISIONS = {
    "decode_revision": "this laketag reads other pixels from the same files",
    "label_revision": "this laketag makes other label rows from the same pixels",
}
"""Of laketag itself, and what a higher one means; a run's row keeps them beside the settings."""


@dataclass(frozen=True, kw_only=True)
class LabelRequest:
    """Which collection to label with the classes of which description set."""

    collection: str
    description_set: str
    retry: Sequence[str] = ()
    """Reasons of failures; images that failed for one of them are tried again in any case."""
    limit: int | None = None
    """How many images to label; a random sample of what is pending."""
    fail_on_failures: bool = False
    """Whether a single failed image makes the exit code that of failed images."""
    stop: WorkStop = field(default_factory=WorkStop, compare=False)
    """From when on the call takes no more work, and publishes what is done."""
    from_embeddings: bool = False
    """Whether images are labelled from embeddings that earlier runs have kept, and pixels are not read."""
    wait_s: float = 0.0
    """How long to wait for another process that labels the same images."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run has to do."""

    request: LabelRequest
    classifier: str  # its fingerprint
    snapshot: str
    index_rows: int
    pending: int
    """Images of the index that are not done."""
    rows: pl.DataFrame
    """schemas.Plan: the pending images, or the sample of them that was asked for."""
    failed: dict[str, int]
    """Images of the index that are done but have no label, by reason."""
    carried: int = 0
    """Pending images that the index could not look at, and that are left for that."""
    finished_last: datetime | None = None
    """When the last run of the collection finished, by the clock of the machine that finished it."""
    made_from: str | None = None
    """``embeddings=FORMAT`` if kept embeddings are labelled."""
    lacking: int = 0
    """Pending images that are left because no embeddings of theirs are kept."""
    lacking_uri: str | None = None
    """One of them."""
    kept_by: tuple[str, str] | None = None
    """Of the last run that has kept such embeddings, its description set and id."""
    hidden: bool = False
    """Whether the classifier has labels that queries do not show, because another one labelled since; a run shows them again."""

    @property
    def is_nothing(self) -> bool:
        """Whether there is no need for a run."""
        return self.rows.is_empty() and not self.hidden

    @property
    def left(self) -> int:
        """Pending images that are not planned."""
        return self.pending - self.rows.height


@dataclass(frozen=True)
class OtherRuns:
    """What other runs have done, and what those do that a call finishes before its new run."""

    finished: pl.DataFrame
    """schemas.Runs: the lake's finished runs, or at least those of the collection and classifier."""
    resumed: int = 0
    """How many images the unfinished runs had left, which count towards the limit."""
    planned: pl.DataFrame | None = None
    """The plans (schemas.Plan) of the unfinished runs, if they are not finished yet."""


def look_up_classifier(
    lake: Lake, request: LabelRequest, settings: Settings, screen: Screen, finished: pl.DataFrame
) -> ChosenClassifier:
    """The classifier of the request; an InputError before models are looked up if there is no such collection or set."""
    latest_snapshot(lake, request.collection)
    embedded_set = latest_embedded_set(lake, request.description_set)
    screen.wait("looking up the models")
    classifier = choose_classifier(settings, embedded_set)
    if request.from_embeddings:
        classifier = from_kept(lake, classifier, request.collection, finished)
    return name_as_in_lake(lake, request.collection, classifier, settings, finished)


def recall_name(
    lake: Lake, request: LabelRequest, settings: Settings, finished: pl.DataFrame
) -> ChosenClassifier | None:
    """As look_up_classifier, within milliseconds; None if nothing on this machine remembers it."""
    latest_snapshot(lake, request.collection)
    classifier = recall_classifier(settings, latest_embedded_set(lake, request.description_set))
    if classifier and request.from_embeddings:
        classifier = from_kept(lake, classifier, request.collection, finished)
    return classifier and name_as_in_lake(lake, request.collection, classifier, settings, finished)


def retry_rules(request: LabelRequest, settings: Settings) -> RetryRules:
    """Which failed images a run of the request tries again."""
    return RetryRules(
        wanted=frozenset(request.retry),
        attempts_over_runs=settings.fetch.attempts_over_runs,
        depends_on=failure_dependencies(settings.fetch, settings.decode),
    )


def find_work(
    lake: Lake,
    request: LabelRequest,
    fingerprint: str,
    settings: Settings,
    others: OtherRuns,
) -> Work:
    """What is to do in the newest snapshot: the pending images that no other plan has.

    Those of runs that stay unfinished are pending, and left to them. Forgotten images, which an index that was killed may
    have again, are left to the next index.
    """
    snapshot = latest_snapshot(lake, request.collection)
    of_collection = select_runs_of(others.finished, request.collection)
    own = select_runs_of(of_collection, fingerprint=fingerprint)
    pending = find_pending(lake, snapshot, own, retry_rules(request, settings))
    rows = pending.rows
    if others.planned is not None:
        rows = rows.join(others.planned, on=["image_id", "etag"], how="anti", maintain_order="left")
    pending_images = rows.height + pending.carried
    for run in find_unfinished(lake, request.collection, fingerprint, own["run_id"]):
        planned = read_planned(lake, run.run_id)
        rows = rows.join(planned, on=["image_id", "etag"], how="anti", maintain_order="left")
    rows = rows.filter(~read_forgotten(lake).find_in(rows, request.collection))
    limit = None if request.limit is None else max(0, request.limit - others.resumed)
    return Work(
        request=request,
        classifier=fingerprint,
        snapshot=snapshot.name,
        index_rows=pending.index_rows,
        pending=pending_images,
        rows=draw_sample(rows, limit),
        failed=pending.failed,
        carried=pending.carried,
        finished_last=cast("datetime | None", of_collection["finished_at"].max()),
        hidden=are_hidden(of_collection.filter(description_set=request.description_set), fingerprint),
    )


def plan_run(lake: Lake, work: Work, classifier: ChosenClassifier, settings: Settings) -> Run:
    """A new run, with its plan frozen in staging."""
    collection = work.request.collection
    run = Run(
        run_id=timestamp() + run_suffix(collection, classifier.fingerprint),
        collection=collection,
        snapshot=work.snapshot,
        classifier=classifier.fingerprint,
        description_set=classifier.description_set,
        description_version=classifier.description_version,
        method=classifier.method,
        index_rows=work.index_rows,
        already_done=work.index_rows - work.pending,
        planned=work.rows.height,
        left=work.left,
        rows_per_file=settings.run.rows_per_file,
        keep=(keep := " ".join(settings.run.keep)),
        encoder=json.dumps(encoder_identity(classifier.decided_by), sort_keys=True)
        if embedding_format(keep) or work.made_from
        else None,
        made_from=work.made_from,
        settings=json.dumps(kept_settings(settings, classifier)),
        models=json.dumps(classifier.models),
        calibration=newest_calibration(lake, collection, classifier.fingerprint),
        started_at=max(datetime.now(UTC), work.finished_last or datetime.min.replace(tzinfo=UTC)).isoformat(),
    )
    freeze_plan(lake, run, work.rows)
    return run


def kept_settings(settings: Settings, classifier: ChosenClassifier) -> dict[str, Any]:
    """What a run's row keeps of the settings, and laketag's own revisions."""
    chosen = settings.model_dump(mode="json", include=SETTINGS_OF_LABELS)
    return chosen | {name: classifier.decided_by[name] for name in REVISIONS}


def find_unlabelled(lake: Lake, run: Run) -> pl.DataFrame:
    """The planned rows (schemas.Plan) that have no label in staging, in the order of the plan.

    A row that failed before an interruption is among them: what interrupted the run may have failed it. Besides the rows that
    are returned, 16 bytes are held for each label.
    """

    def find() -> pl.DataFrame:
        parts = scan_parts(lake, run.run_id)
        labelled = parts.filter(pl.col("label").is_not_null()).select(key=version_key())
        done = labelled.collect(engine="streaming").lazy()
        plan = scan_plan(lake, run.run_id).with_columns(key=version_key())
        rest = plan.join(done, on="key", how="anti", maintain_order="left")
        return rest.drop("key").collect(engine="streaming")

    return through_outages(lake.root, lake.storage, find)


def find_resumable(
    lake: Lake, request: LabelRequest, fingerprint: str, finished: Iterable[str], screen: Screen
) -> list[tuple[Run, pl.DataFrame]]:
    """The runs, none of ``finished``, that a call finishes first, each with its planned rows without a label, the oldest first.

    A run with more such rows than the limit of the request still allows stays unfinished, which is printed; so does a run that
    reads pixels, if the request is to label from kept embeddings.
    """
    found, limit = [], request.limit
    for run in find_unfinished(lake, request.collection, fingerprint, finished):
        reads_pixels = run.made_from is None and not run.recalibrated
        if request.from_embeddings and reads_pixels:
            screen.say(
                f"run {run.run_id} stays unfinished, as it reads pixels; the same command without --from-embeddings goes on "
                "with it"
            )
            continue
        unlabelled = find_unlabelled(lake, run)
        if limit is None or unlabelled.height <= limit:
            found.append((run, unlabelled))
            limit = None if limit is None else limit - unlabelled.height
        else:
            screen.say(
                f"run {run.run_id} stays unfinished, as it has {unlabelled.height:,} images left; the same command without "
                "--limit goes on with it"
            )
    return found

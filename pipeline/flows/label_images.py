"""A labelling run: plan → read → fetch → decode → label → write → publish."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl
from rich.console import Console

from pipeline.classifier.spec import ClassifierSpec, classifier_spec
from pipeline.config import Settings
from pipeline.errors import ModelError
from pipeline.flows.label_chain import run_chain
from pipeline.lake import Lake, timestamp
from pipeline.ray_errors import is_loss, translate
from pipeline.ray_runtime import living_nodes, ray_runtime
from pipeline.storage.descriptions import latest_version, read_described_with, version_hash
from pipeline.storage.filesystems import store_errors
from pipeline.storage.lease import Lease, hold_lease
from pipeline.storage.plan import find_pending
from pipeline.storage.publish import Published, publish
from pipeline.storage.runs import read_runs
from pipeline.storage.snapshots import latest_snapshot
from pipeline.storage.staging import Run, find_unfinished, freeze_plan, run_suffix, scan_parts, scan_plan
from pipeline.version import laketag_version
from schemas import LABEL_SCHEMA_VERSION


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
    spec = find_classifier(lake, set_name, settings)
    published: list[Published] = []
    with hold_lease(lake, f"{collection}{run_suffix(collection, spec.fingerprint)}", console.print) as lease:

        def finish(run: Run) -> None:
            images_per_s = label_pending(lake, run, spec, settings, console, lease)
            rows_per_file, version = settings.run.rows_per_file, laketag_version()
            with store_errors(lake.root):
                published.append(
                    publish(
                        lake,
                        run,
                        lease,
                        rows_per_file=rows_per_file,
                        images_per_s=images_per_s,
                        version=version,
                    )
                )

        finished = read_runs(lake, collection, spec.fingerprint)["run_id"]
        while unfinished := find_unfinished(lake, collection, spec.fingerprint, finished):
            console.print(f"going on with run {unfinished.run_id}, planned {unfinished.started_at[:19]} UTC")
            finish(unfinished)
        planned = plan_run(lake, collection, spec, settings, retry)
        if isinstance(planned, Run):
            finish(planned)  # once: what failed for a passing reason is for the next call
            return published
    return published or planned


def find_classifier(lake: Lake, set_name: str, settings: Settings) -> ClassifierSpec:
    """The classifier of the settings with the newest version of the set, which its own text tower must have embedded."""
    version = latest_version(lake, set_name)
    spec = classifier_spec(
        settings,
        set_name,
        version,
        description_hash=f"{set_name}/{version_hash(version)}",  # sets of the same content are asked for by name
        label_schema=LABEL_SCHEMA_VERSION,
    )
    made = read_described_with(lake, set_name, version)
    if made.backbone_sha256 != spec.backbone.sha256:
        raise ModelError(
            f"description set {set_name!r} was embedded with {made.backbone} ({made.backbone_sha256[:12]}…), and the settings "
            f"name {spec.backbone.name} ({(spec.backbone.sha256 or '')[:12]}…); describe the set again with these settings, "
            "or label with those it was described with"
        )
    return spec


def plan_run(
    lake: Lake, collection: str, spec: ClassifierSpec, settings: Settings, retry: Iterable[str] = ()
) -> Run | NothingToDo:
    """A new run with its plan frozen in staging, if the index holds anything that is not done."""
    snapshot = latest_snapshot(lake, collection)
    pending = find_pending(lake, snapshot, collection, spec.fingerprint, retry)
    if pending.rows.is_empty():
        return NothingToDo(
            pending.index_rows,
            snapshot.name,
            spec.fingerprint,
            _queried(lake, collection, spec),
            pending.failed,
        )
    run = Run(
        run_id=timestamp() + run_suffix(collection, spec.fingerprint),
        collection=collection,
        snapshot=snapshot.name,
        classifier=spec.fingerprint,
        description_set=spec.description_set,
        description_version=spec.description_version,
        method=spec.method.name,
        index_rows=pending.index_rows,
        already_done=pending.index_rows - pending.rows.height,
        planned=pending.rows.height,
        settings=json.dumps(
            settings.model_dump(mode="json", include={"backbone", "attention", "method", "decode"})
        ),
        models=json.dumps(spec.models()),
        started_at=datetime.now(UTC).isoformat(),
    )
    freeze_plan(lake, run, pending.rows)
    return run


def _queried(lake: Lake, collection: str, spec: ClassifierSpec) -> str:
    """The classifier of the newest run of the collection with the same description set."""
    runs = read_runs(lake, collection).filter(pl.col("description_set") == spec.description_set)
    return str(runs["classifier"][-1]) if runs.height else spec.fingerprint


def label_pending(
    lake: Lake, run: Run, spec: ClassifierSpec, settings: Settings, console: Console, lease: Lease
) -> float:
    """Every planned row that has no label yet is staged with a label or a failure; returns images/s.

    A row that failed before the run was interrupted is tried again: what interrupted the run may have failed it.
    A chain that lost what Ray cannot make up for is begun again for the rest, on what the cluster has then, as
    long as each beginning gets further than the one before.
    """
    pending = find_unlabelled(lake, run)
    if pending.is_empty():
        return 0.0
    with ray_runtime() as runtime:
        while True:
            try:
                return run_chain(lake, run, spec, settings, console, lease, runtime, pending)
            except Exception as error:  # Ray wraps a loss in many types; what is no loss is raised again
                left = find_unlabelled(lake, run)
                if not is_loss(error) or left.height == pending.height:
                    raise
                console.print(f"{translate(error, runtime.log_file)}", style="yellow")
            console.print(f"going on with {left.height:,} images on what the cluster has now", style="yellow")
            runtime, pending = replace(runtime, nodes=living_nodes()), left


def find_unlabelled(lake: Lake, run: Run) -> pl.DataFrame:
    """The planned rows (schemas.Plan) that have no label in staging, in the order of the plan."""
    labelled = scan_parts(lake, run.run_id).filter(pl.col("label").is_not_null()).select("image_id", "etag")
    plan = scan_plan(lake, run.run_id)
    with store_errors(lake.root):
        return plan.join(labelled, on=["image_id", "etag"], how="anti", maintain_order="left").collect()

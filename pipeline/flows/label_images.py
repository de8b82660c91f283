"""A labelling run: plan → read → fetch → decode → label → write → publish."""

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import polars as pl
import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy, TaskPoolStrategy
from rich.console import Console

from pipeline.classifier.spec import ClassifierSpec, classifier_spec
from pipeline.config import Settings
from pipeline.errors import ModelError, StoppedError
from pipeline.lake import Lake, timestamp
from pipeline.progress import Progress
from pipeline.ray_errors import is_loss, translate
from pipeline.ray_runtime import RayRuntime, living_nodes, ray_runtime
from pipeline.resources import (
    DECODE_CPUS,
    FETCH_CPUS,
    WRITE_CPUS,
    Resources,
    decide_resources,
    say_shortfalls,
)
from pipeline.run_metrics import RunMetrics
from pipeline.stages.decode_images import decode_images
from pipeline.stages.fetch_images import fetch_images
from pipeline.stages.in_flight import count_in_flight
from pipeline.stages.label_images import LabelImages
from pipeline.stages.write_labels import LABELLED, write_labels
from pipeline.storage.descriptions import latest_version, read_described_with, version_hash
from pipeline.storage.lease import hold_lease
from pipeline.storage.plan import find_pending
from pipeline.storage.publish import Published, publish
from pipeline.storage.runs import read_runs
from pipeline.storage.snapshots import latest_snapshot
from pipeline.storage.staging import Run, find_unfinished, freeze_plan, run_suffix, scan_parts, scan_plan
from pipeline.version import laketag_version
from schemas import LABEL_SCHEMA_VERSION

TRIES = 5
"""Of a task whose worker died, before the chain gives up. Ray Data would try for ever, and a picture that kills its
decoder or an actor that outgrows its memory would hang the run. Staged parts are named by what is in them, so a task
that is tried twice does no harm."""


@dataclass(frozen=True)
class NothingToDo:
    """Every image of the index is done with this classifier."""

    index_rows: int
    snapshot: str
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
            images_per_s = label_pending(lake, run, spec, settings, console)
            rows_per_file, version = settings.run.rows_per_file, laketag_version()
            published.append(
                publish(
                    lake, run, lease, rows_per_file=rows_per_file, images_per_s=images_per_s, version=version
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
        return NothingToDo(pending.index_rows, snapshot.name, pending.failed)
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


def label_pending(lake: Lake, run: Run, spec: ClassifierSpec, settings: Settings, console: Console) -> float:
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
                return run_chain(lake, run, spec, settings, console, runtime, pending)
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
    return (
        scan_plan(lake, run.run_id)
        .join(labelled, on=["image_id", "etag"], how="anti", maintain_order="left")
        .collect()
    )


def run_chain(
    lake: Lake,
    run: Run,
    spec: ClassifierSpec,
    settings: Settings,
    console: Console,
    runtime: RayRuntime,
    pending: pl.DataFrame,
) -> float:
    """The rows are staged with a label or a failure, with resources decided for this cluster; returns images/s."""
    resources = decide_resources(runtime, settings.run, pending.height)
    console.print(f"{resources}; Ray's own log: {runtime.log_file}")
    for sentence in say_shortfalls(runtime, resources):
        console.print(sentence, style="yellow")
    metrics = RunMetrics(run.collection, run.planned)
    with (
        ask_for_nodes(settings, resources),
        Progress(run.planned, console, done=run.planned - pending.height) as progress,
    ):
        for receipt in label_chain(lake, run, spec, settings, resources, pending):
            metrics.add(receipt)
            progress.add(receipt["outcome"], receipt["images"])
            metrics.show(progress.done, progress.images_per_s or 0.0)
            _stop_if_hopeless(progress.outcomes, settings, run)
    return progress.mean_images_per_s


@contextmanager
def ask_for_nodes(settings: Settings, resources: Resources) -> Iterator[None]:
    """An autoscaling cluster is asked for all label actors at once, and let go of them at the end."""
    if not settings.run.autoscaling:
        yield
        return
    from ray.autoscaler.sdk import request_resources

    others = {"CPU": FETCH_CPUS + DECODE_CPUS}  # fetch and decode go on where the actors leave no room
    request_resources(bundles=[resources.actor_bundle()] * resources.max_actors + [others])
    try:
        yield
    finally:
        request_resources(bundles=[])


def label_chain(
    lake: Lake,
    run: Run,
    spec: ClassifierSpec,
    settings: Settings,
    resources: Resources,
    pending: pl.DataFrame,
) -> Iterator[dict[str, Any]]:
    """The run as one chain of Ray Data calls; yields the receipts of staged parts.

    Blocks hold ``rows_per_block`` images from the plan to the staged part, so what is lost with a killed worker is small.
    Stages ask for different CPUs, which also keeps Ray from fusing them: fetch waits, decode computes, actors hold the GPU.
    Between fetch and decode travel encoded bytes, about 100 KB a row; between decode and label one bounded uint8 image
    a row, 1 MB or so; crops never leave the actor.
    """
    blocks = [rows.to_arrow() for rows in pending.iter_slices(resources.rows_per_block)]
    with warnings.catch_warnings():
        # Ray 2.60 wants named parameters, but has none for the retries
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        receipts = (
            ray.data.from_arrow(blocks)  # plan rows: 150 bytes each, a block for each task of the next stage
            .map_batches(
                count_in_flight(
                    "fetch", run.collection, partial(fetch_images, fetch=settings.fetch, storage=lake.storage)
                ),
                batch_format="pyarrow",
                batch_size=None,
                compute=TaskPoolStrategy(size=resources.fetch_slots),
                num_cpus=FETCH_CPUS,
                max_retries=TRIES,
            )
            .map_batches(
                count_in_flight("decode", run.collection, partial(decode_images, decode=settings.decode)),
                batch_format="pyarrow",
                batch_size=resources.batch_size,
                compute=TaskPoolStrategy(size=resources.decode_slots),
                num_cpus=DECODE_CPUS,
                max_retries=TRIES,
            )
            .map_batches(
                LabelImages,
                fn_constructor_args=(spec, lake),
                fn_constructor_kwargs={
                    "collection": run.collection,
                    "run_id": run.run_id,
                    "device": resources.device,
                    "threads": resources.threads_per_actor,
                },
                batch_format="pyarrow",
                batch_size=resources.batch_size,
                compute=_pool(resources),
                num_cpus=resources.cpus_per_actor,
                num_gpus=resources.gpus_per_actor,
                memory=resources.memory_per_actor_bytes or None,
                max_restarts=-1,  # nodes come and go for as long as the run lasts
                max_task_retries=TRIES,
            )
            .map_batches(
                partial(write_labels, lake=lake, run_id=run.run_id),  # a part for each block: 500 bytes a row
                batch_format="pyarrow",
                batch_size=None,
                num_cpus=WRITE_CPUS,
                max_retries=TRIES,
            )
        )
    receipts.context.execution_no_progress_timeout_s = settings.run.stall_s  # for what waits for a lost node
    for batch in receipts.iter_batches(batch_format="pyarrow", batch_size=None, prefetch_batches=0):
        yield from cast(pa.Table, batch).to_pylist()


def _pool(resources: Resources) -> ActorPoolStrategy:
    """A fixed pool starts at once; a growing one asks for its actors as blocks queue up."""
    if resources.actors == resources.max_actors:
        return ActorPoolStrategy(size=resources.actors)
    return ActorPoolStrategy(min_size=resources.actors, max_size=resources.max_actors)


def _stop_if_hopeless(outcomes: Counter[str], settings: Settings, run: Run) -> None:
    """StoppedError if so many of the images fail for one reason that the rest will too."""
    limits = settings.run
    seen = outcomes.total()
    for reason, images in outcomes.items():
        if (
            reason == LABELLED
            or images < limits.failed_images_before_stop
            or images < limits.max_failed_fraction * seen
        ):
            continue
        raise StoppedError(
            f"{images:,} of {seen:,} images failed as {reason!r}, over run.max_failed_fraction = {limits.max_failed_fraction}; "
            f"run {run.run_id} is kept. Mend the cause and run the same command: it goes on and tries these images again"
        )

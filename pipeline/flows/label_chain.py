"""The labelling chain: planned rows → fetch → decode → label → write, with resources decided for the cluster."""

import warnings
from collections.abc import Generator
from contextlib import closing
from functools import partial
from typing import Any

import polars as pl
import ray.data
from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.cluster.actor_shape import DECODE_CPUS, FETCH_CPUS, WRITE_CPUS
from laketag.pipeline.cluster.node_watch import NodeWatch
from laketag.pipeline.cluster.ray_runtime import open_blocks
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import StoppedError
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import Run
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.progress.run_metrics import RunMetrics
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.fetch_images import fetch_in_parts
from laketag.pipeline.stages.in_flight import count_in_flight
from laketag.pipeline.stages.label_images import LabelImages
from laketag.pipeline.stages.write_labels import write_labels
from laketag.schemas import LABELLED

TRIES = 5
"""Of a task whose worker died, before the chain gives up. Ray Data would try for ever, and a picture that kills its
decoder or an actor that outgrows its memory would hang the run. Staged parts are named by what is in them, so a task
that is tried twice stages no row twice."""

NEVER = -1.0
"""Tasks given out per actor, at or below which Ray Data drops one. Its own 0.5 dropped actors as the first blocks
arrived, or while decoding was behind for a moment, and to load an actor's models takes longer than that. Once all
blocks are given out, those without work go at once; that does not ask for this number."""


def run_chain(
    lake: Lake,
    run: Run,
    classifier: ChosenClassifier,
    settings: Settings,
    console: Console,
    lease: Lease,
    resources: Resources,
    pending: pl.DataFrame,
    metrics: RunMetrics,
) -> None:
    """The rows are staged with a label or a failure."""
    is_current = run.snapshot == latest_snapshot(lake, run.collection).name
    with (
        Progress(run.planned, console, done=run.planned - pending.height) as progress,
        closing(label_chain(lake, run, classifier, settings, resources, pending)) as receipts,
    ):
        metrics.follow(progress)
        for receipt in receipts:
            metrics.add(receipt)
            progress.add(receipt["outcome"], receipt["images"])
            if lease.lost.is_set():
                lease.check()
            if is_current:  # of an older index failures are expected, and the next run plans anew
                stop_if_hopeless(progress, settings, run.run_id)


def label_chain(
    lake: Lake,
    run: Run,
    classifier: ChosenClassifier,
    settings: Settings,
    resources: Resources,
    pending: pl.DataFrame,
) -> Generator[dict[str, Any], None, None]:
    """The run as one chain of Ray Data calls; yields the receipts of staged parts.

    Blocks hold ``rows_per_block`` images from the plan to the staged part, so what is lost with a killed worker is small.
    Stages ask for different CPUs, which also keeps Ray from fusing them: fetch waits, decode computes, actors hold the GPU.
    Between fetch and decode travel encoded bytes, at most PART_BYTES of them at once; between decode and label one bounded
    uint8 image a row, 1 MB or so; crops never leave the actor.
    """
    blocks = [rows.to_arrow() for rows in pending.iter_slices(resources.rows_per_block)]
    with warnings.catch_warnings():
        # Ray 2.60 wants named parameters, but has none for the retries
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        receipts = (
            ray.data.from_blocks(blocks)  # plan rows: 150 bytes each, a block for each task of the next stage
            .map_batches(
                count_in_flight(
                    "fetch",
                    run.collection,
                    partial(fetch_in_parts, fetch=settings.fetch, storage=lake.storage),
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
                fn_constructor_kwargs={
                    "lake": lake,
                    "run": run,
                    "pickled_spec": classifier.pickled_spec,
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
    receipts.context.autoscaling_config.actor_pool_util_downscaling_threshold = NEVER
    _watch(receipts.context, settings, resources)
    with open_blocks(receipts) as written:
        for block in written:
            yield from block.to_pylist()


def _pool(resources: Resources) -> ActorPoolStrategy:
    """The pool grows as blocks queue up; where the cluster grows with it, all actors are asked for at once.

    Those that have no room yet are what the cluster adds nodes for, and each works as soon as its node has come.
    """
    return ActorPoolStrategy(
        min_size=resources.actors,
        max_size=resources.max_actors,
        initial_size=resources.max_actors if resources.autoscaling else resources.actors,
    )


def _watch(context: DataContext, settings: Settings, resources: Resources) -> None:
    """An execution that waits for what will not come ends; one that waits for nodes that a cluster adds does not."""
    if resources.autoscaling:
        context.execution_no_progress_timeout_s = -1
        return
    context.execution_no_progress_timeout_s = settings.run.stall_s
    watch = partial(NodeWatch, resources.shape, resources.actors, settings.run.missing_nodes_s)
    context.custom_execution_callback_classes = [watch]  # type: ignore[list-item]  # Ray Data only calls it


def stop_if_hopeless(progress: Progress, settings: Settings, run_id: str) -> None:
    """StoppedError if so many of the images done fail for one reason that the rest will too."""
    limits = settings.run
    for reason, images in progress.outcomes.items():
        if reason == LABELLED or images < limits.failed_images_before_stop:
            continue
        if images > limits.max_failed_fraction * progress.done:
            raise StoppedError(
                f"{images:,} of {progress.done:,} images failed as {reason!r}, over run.max_failed_fraction = "
                f"{limits.max_failed_fraction} (with run.failed_images_before_stop = {limits.failed_images_before_stop}); "
                f"run {run_id} is kept. Mend the cause and run the same command: it goes on and tries these images "
                "again. If the images themselves are gone, index again first; to have the failures as rows, set the fraction to 1"
            )

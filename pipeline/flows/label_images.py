"""A labelling run: plan → read → fetch → decode → label → write → publish."""

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier, choose_classifier
from laketag.pipeline.cluster.actor_shape import DECODE_CPUS, FETCH_CPUS, WRITE_CPUS
from laketag.pipeline.cluster.execution import bound_waiting, open_blocks
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.recovery import Recovery
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.plan_run import LabelRequest, NothingToDo, find_unlabelled, plan_run
from laketag.pipeline.flows.stop_rule import stop_if_hopeless
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import Lease, hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.publish import Published, publish
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import Run, find_unfinished, run_suffix
from laketag.pipeline.progress.metrics import RunMetrics
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.fetch_images import fetch_in_parts
from laketag.pipeline.stages.label_images import LabelImages
from laketag.pipeline.stages.write_labels import write_labels

if TYPE_CHECKING:
    from ray.data import Dataset

TRIES = 5
"""How often Ray retries a task whose worker died; Ray Data's default is unlimited, so that an image that kills its decoder,
or an actor that outgrows its memory, would hang the run. A task that runs twice stages the same file twice."""


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """A planned run, and what carries it out."""

    lake: Lake
    run: Run
    classifier: ChosenClassifier
    settings: Settings
    lease: Lease
    console: Console


def label_images(
    lake: Lake, request: LabelRequest, settings: Settings, console: Console
) -> list[Published] | NothingToDo:
    """Every image of the newest index snapshot has a row for this classifier in the label table.

    An unfinished run of the same collection and classifier is finished first, with its own frozen plan.
    """
    embedded_set = latest_embedded_set(lake, request.set_name)
    classifier = choose_classifier(settings, embedded_set)
    collection, fingerprint = request.collection, classifier.fingerprint
    with hold_lease(lake, collection + run_suffix(collection, fingerprint), console.print) as lease:
        labelling = partial(
            Labelling, lake=lake, classifier=classifier, settings=settings, lease=lease, console=console
        )
        published: list[Published] = []
        finished = read_runs(lake, collection, fingerprint)["run_id"]
        while unfinished := find_unfinished(lake, collection, fingerprint, finished):
            console.print(f"going on with run {unfinished.run_id}, planned {unfinished.started_at[:19]} UTC")
            published.append(finish_run(labelling(run=unfinished)))
        # plan: the rows of the index minus what finished runs have done, frozen in staging
        planned = plan_run(lake, request, classifier, settings)
        if isinstance(planned, NothingToDo):
            return published or planned
        # once only: what fails for a transient reason is for the next call
        return [*published, finish_run(labelling(run=planned))]


def finish_run(labelling: Labelling) -> Published:
    """The planned run is labelled and published."""
    # read → fetch → decode → label → write: see label_chain
    images_per_s = label_unlabelled(labelling)
    # publish: one row for each planned image, out of the staged parts; one conditional write commits the run
    return publish(labelling.lake, labelling.run, labelling.lease, images_per_s)


def label_chain(labelling: Labelling, unlabelled: pl.DataFrame, resources: Resources) -> "Dataset":
    """Planned rows in, receipts of staged parts out, as one chain of Ray Data calls.

    A block holds ``rows_per_block`` images from the plan to its staged part, so that a lost worker loses little.
    Stages ask for different numbers of CPUs, which also keeps Ray from fusing them.
    """
    import ray.data  # takes a second, which a call with nothing to do is spared
    from ray.data import ActorPoolStrategy, TaskPoolStrategy

    lake, run, settings = labelling.lake, labelling.run, labelling.settings
    plan_blocks = [rows.to_arrow() for rows in unlabelled.iter_slices(resources.rows_per_block)]
    chain: Dataset = (
        # read: the planned rows, 150 bytes each; a block for each task of the next stage
        ray.data.from_blocks(plan_blocks)
        # fetch: as many rows out as in, with encoded bytes or a failure, PART_BYTES at once; waits for the network
        .map_batches(
            partial(fetch_in_parts, fetch=settings.fetch, storage=settings.source_storage),
            batch_format="pyarrow",
            batch_size=None,
            compute=TaskPoolStrategy(size=resources.fetch_slots),
            num_cpus=FETCH_CPUS,
            max_retries=TRIES,
        )
        # decode: as many rows out as in, with one bounded RGB image (about 1 MB) for the bytes; one thread computes
        .map_batches(
            partial(decode_images, decode=settings.decode),
            batch_format="pyarrow",
            batch_size=resources.batch_size,
            compute=TaskPoolStrategy(size=resources.decode_slots),
            num_cpus=DECODE_CPUS,
            max_retries=TRIES,
        )
        # label: as many rows out as in, 500 bytes each; an actor holds a GPU and the models, and crops never leave it
        .map_batches(
            LabelImages,
            fn_constructor_kwargs={
                "lake": lake,
                "run_id": run.run_id,
                "pickled_spec": labelling.classifier.pickled_spec,
                "device": resources.device,
                "threads": resources.threads_per_actor,
            },
            batch_format="pyarrow",
            batch_size=resources.batch_size,
            compute=ActorPoolStrategy(
                min_size=resources.actors,
                max_size=resources.max_actors,
                initial_size=resources.initial_actors,
            ),
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            memory=resources.memory_per_actor_bytes or None,
            max_restarts=-1,  # nodes come and go for as long as the run lasts
            max_task_retries=TRIES,
        )
        # write: a block of label rows in, a row for each outcome out (the receipt of the staged part); milliseconds
        .map_batches(
            partial(write_labels, lake=lake, run_id=run.run_id),
            batch_format="pyarrow",
            batch_size=None,
            num_cpus=WRITE_CPUS,
            max_retries=TRIES,
        )
    )
    chain.set_name(run.collection)  # Ray Data's metrics have it in their tag ``dataset``
    bound_waiting(chain.context, resources, settings.run)
    return chain


def label_unlabelled(labelling: Labelling) -> float:
    """Every planned image without a label is staged with a label or a failure; returns images/s.

    If Ray loses workers or nodes for good, the chain begins again with what is left.
    """
    lake, run, console = labelling.lake, labelling.run, labelling.console
    unlabelled = find_unlabelled(lake, run)
    if unlabelled.is_empty():
        return 0.0
    with ray_runtime() as runtime, RunMetrics(run.collection, run.planned) as metrics:
        console.print(f"{runtime}; Ray's own log: {runtime.log_file}", soft_wrap=True)

        def find_rest() -> pl.DataFrame:
            rest = find_unlabelled(lake, run)
            metrics.count_labelled(unlabelled.height - rest.height)
            return rest

        began = time.monotonic()
        attempt = partial(run_chain, labelling, metrics)
        Recovery(runtime, labelling.settings.run, console).run(unlabelled, attempt, find_rest)
        return unlabelled.height / (time.monotonic() - began)


def run_chain(
    labelling: Labelling, metrics: RunMetrics, unlabelled: pl.DataFrame, resources: Resources
) -> None:
    """The chain has run over these rows. Shows progress meanwhile, and stops the run if most images fail."""
    run, limits = labelling.run, labelling.settings.run
    is_current = run.snapshot == latest_snapshot(labelling.lake, run.collection).name
    chain = label_chain(labelling, unlabelled, resources)
    with (
        Progress(run.planned, labelling.console, done=run.planned - unlabelled.height) as progress,
        open_blocks(chain) as blocks,
    ):
        metrics.follow(progress)
        for receipt in (row for block in blocks for row in block.to_pylist()):
            metrics.add(receipt)
            progress.add(receipt["outcome"], receipt["images"])
            if labelling.lease.lost.is_set():  # check() alone would read the store for each receipt
                labelling.lease.check()
            if is_current:  # of an older index failures are expected, and the next run plans anew
                stop_if_hopeless(progress, limits, run.run_id)

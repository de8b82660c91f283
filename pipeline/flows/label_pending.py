"""What a run has not labelled yet is labelled, however often its nodes come and go."""

import time
from dataclasses import replace

import polars as pl
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.cluster.actor_shape import most_actors
from laketag.pipeline.cluster.nodes import NodesLostError, free_now, living_nodes
from laketag.pipeline.cluster.ray_errors import is_loss, translate
from laketag.pipeline.cluster.ray_runtime import RayRuntime, ray_runtime
from laketag.pipeline.cluster.resources import Resources, decide_resources
from laketag.pipeline.cluster.shortfalls import say_shortfalls
from laketag.pipeline.config import RunSettings, Settings
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, scan_parts, scan_plan
from laketag.pipeline.store.errors import store_errors

RETURN_PATIENCE_S = 300.0
"""Nodes that went together, as when a zone has a fault, are often back within minutes."""
LOOK_EVERY_S = 5.0


def label_pending(
    lake: Lake, run: Run, classifier: ChosenClassifier, settings: Settings, console: Console, lease: Lease
) -> float:
    """Every planned row that has no label yet is staged with a label or a failure; returns images/s.

    A row that failed before the run was interrupted is tried again: what interrupted the run may have failed it.
    A chain that lost what Ray cannot make up for is begun again for the rest, on what the cluster has then, as
    long as each beginning gets further than the one before.
    """
    pending = find_unlabelled(lake, run)
    if pending.is_empty():
        return 0.0
    from laketag.pipeline.flows.label_chain import run_chain  # ray.data: a second to import
    from laketag.pipeline.progress.run_metrics import RunMetrics

    images = pending.height
    with ray_runtime() as runtime, RunMetrics(run.collection, run.planned) as metrics:
        console.print(f"{runtime}; Ray's own log: {runtime.log_file}", soft_wrap=True)
        resources = decide_resources(runtime, settings.run, pending.height)
        show_resources(runtime, settings.run, resources, console)
        began = time.monotonic()
        while not pending.is_empty():
            try:
                run_chain(lake, run, classifier, settings, console, lease, resources, pending, metrics)
                break
            except Exception as error:  # Ray wraps a loss in many types; what is no loss is raised again
                if not is_loss(error):
                    raise
                left = find_unlabelled(lake, run)
                if left.height == pending.height and not isinstance(error, NodesLostError):
                    raise
                console.print(f"{translate(error, runtime.log_file)}", style="yellow")
            pending = left
            metrics.count_labelled(images - pending.height)
            resources = decide_again(runtime, settings.run, pending.height, resources)
            console.print(
                f"going on with {pending.height:,} images on what the cluster has now", style="yellow"
            )
            show_resources(runtime, settings.run, resources, console)
        return images / (time.monotonic() - began)


def show_resources(runtime: RayRuntime, run: RunSettings, resources: Resources, console: Console) -> None:
    """Print what is asked of the cluster, and what it lacks for it."""
    console.print(f"{resources}", soft_wrap=True)
    for sentence in say_shortfalls(runtime, run, resources):
        console.print(sentence, style="yellow")


def decide_again(runtime: RayRuntime, run: RunSettings, planned: int, before: Resources) -> Resources:
    """Resources on what is left: the device of before, as a table is made by one, and no more actors than find room.

    Waits some minutes for nodes to come back if there is room for none; then a ClusterError says what lacks.
    """
    end = time.monotonic() + RETURN_PATIENCE_S
    while True:
        here = replace(runtime, nodes=living_nodes(), free=free_now())
        try:
            return decide_resources(here, _settings_again(run, here, before), planned)
        except ClusterError:
            if time.monotonic() > end:
                raise
        time.sleep(LOOK_EVERY_S)  # between two looks at what the cluster has


def _settings_again(run: RunSettings, here: RayRuntime, before: Resources) -> RunSettings:
    """The settings with as many of the actors of before as find room; where none does, whatever else is possible."""
    actors = before.actors if run.autoscaling else most_actors(here.nodes, before.shape, before.actors)
    kept: dict[str, object] = {"device": before.device}
    if actors:
        kept |= {"actors": actors, "cpus_per_actor": before.cpus_per_actor}
    return run.model_copy(update=kept)


def find_unlabelled(lake: Lake, run: Run) -> pl.DataFrame:
    """The planned rows (schemas.Plan) that have no label in staging, in the order of the plan."""
    labelled = scan_parts(lake, run.run_id).filter(pl.col("label").is_not_null()).select("image_id", "etag")
    plan = scan_plan(lake, run.run_id)
    with store_errors(lake.root):
        return plan.join(labelled, on=["image_id", "etag"], how="anti", maintain_order="left").collect()

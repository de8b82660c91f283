"""A labelling run: plan → read → fetch → decode → label → write → publish."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from laketag.pipeline.cluster.actor_shape import WRITE_CPUS
from laketag.pipeline.cluster.execution import bound_waiting
from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.wait_notes import noting_waits, show_waits
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.decoded_images import TRIES, WHOLE_BLOCKS, Reading, decoded_images
from laketag.pipeline.flows.earlier_results import find_witnesses
from laketag.pipeline.flows.kept_costs import say_kept_costs
from laketag.pipeline.flows.label_attempts import Labelling, label_unlabelled
from laketag.pipeline.flows.label_report import LabelReport, make_report
from laketag.pipeline.flows.nothing_to_do import name_others, report_if_done
from laketag.pipeline.flows.plan_run import (
    LabelRequest,
    OtherRuns,
    find_resumable,
    find_work,
    look_up_classifier,
    plan_run,
)
from laketag.pipeline.lake.calibrations import read_calibration
from laketag.pipeline.lake.kept_tables import kept_tables
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.publish import Cut, Published, publish
from laketag.pipeline.lake.run_speed import Spent
from laketag.pipeline.lake.run_work import Start
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import Run, find_failures, remove_leftovers, run_suffix
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.death_watch import DeathWatch
from laketag.pipeline.stages.label_images import LabelImages
from laketag.pipeline.stages.write_labels import write_labels

if TYPE_CHECKING:
    from ray.data import Dataset


def label_images(
    lake: Lake,
    request: LabelRequest,
    settings: Settings,
    screen: Screen,
    on_run: Callable[[Progress], object] = lambda _: None,
) -> LabelReport:
    """Every image of the newest index snapshot, or the sample asked for, has a row for this classifier in the label table.

    An unfinished run of the same collection and classifier is finished first, with its own frozen plan. Once the stop of
    the request is due, what is done is published and the rest is left. ``on_run`` gets the progress of each run that is
    worked on, which shows how far it came, also after an error.
    """
    began_at = datetime.now(UTC)
    named_address()  # refuses an impossible RAY_ADDRESS before anything is looked up or downloaded
    finished = read_runs(lake)
    if report := report_if_done(lake, request, settings, finished, screen):
        return report
    classifier = look_up_classifier(lake, request, settings, screen, finished)
    collection, fingerprint = request.collection, classifier.fingerprint
    times = LeaseTimes(wait_s=request.stop.at_most(request.wait_s))
    with hold_lease(lake, collection + run_suffix(collection, fingerprint), screen.say, times) as lease:

        def finish(run: Run, unlabelled: pl.DataFrame) -> list[Published]:
            nonlocal began_at
            progress = Progress(run.planned, screen.console, run.run_id)
            on_run(progress)
            labelling = Labelling(
                lake=lake,
                run=run,
                classifier=classifier,
                settings=settings,
                lease=lease,
                screen=screen,
                stop=request.stop,
                witnesses=find_witnesses(lake, run, finished, unlabelled),
                calibration=None
                if run.calibration is None
                else read_calibration(lake, collection, fingerprint, run.calibration),
                began_at=began_at,
            )
            done = finish_run(labelling, unlabelled, progress)
            began_at = datetime.now(UTC)  # with the next run
            return done

        published: list[Published] = []
        resumed = 0
        # again: another process may have finished runs before this one had the lease
        finished = read_runs(lake)
        remove_leftovers(lake, collection, fingerprint, finished["run_id"])
        name_others(lake, collection, fingerprint, finished, screen)
        for unfinished, unlabelled in find_resumable(lake, request, fingerprint, finished["run_id"], screen):
            screen.say(f"going on with run {unfinished.run_id}, planned {unfinished.started_at[:19]} UTC")
            published += finish(unfinished, unlabelled)
            resumed += unlabelled.height
        # plan: the rows of the index minus what finished runs have done, frozen in staging
        screen.wait("comparing the index with what is labelled")
        finished = pl.concat([finished, *(run.row for run in published)])
        others = OtherRuns(finished, resumed)
        work = find_work(lake, request, fingerprint, settings, others)
        left = work.pending
        if not (work.is_nothing or request.stop.is_due):
            described = classifier.description_set, classifier.description_version
            say_kept_costs(lake, described, settings, work.rows.height, screen)
            # once only: what fails for a transient reason is for the next call
            last = finish(plan_run(lake, work, classifier, settings), work.rows)
            left = sum(one.run.left for one in last) if last else left
            published += last
            finished = pl.concat([finished, *(run.row for run in last)])
        return make_report(work, settings, finished, published, left)


def label_chain(
    labelling: Labelling, unlabelled: pl.DataFrame, resources: Resources, watch: DeathWatch
) -> "Dataset":
    """Planned rows in, receipts of staged parts out, as one chain of Ray Data calls.

    A block holds ``rows_per_block`` images from the plan to its staged part, so that a lost worker loses little.
    Stages ask for different numbers of CPUs, which also keeps Ray from fusing them.
    """
    from ray.data import ActorPoolStrategy

    lake, run, settings = labelling.lake, labelling.run, labelling.settings
    reading = Reading(lake=lake, settings=settings, witnesses=labelling.witnesses, watch=watch)
    models = {
        "lake": lake,
        "run_id": run.run_id,
        "pickled_spec": labelling.classifier.pickled_spec,
        "device": resources.device,
        "threads": resources.threads_per_actor,
        "watch": watch,
        "calibration": labelling.calibration,
        "keep": kept_tables(run.keep),
    }
    actors = ActorPoolStrategy(
        min_size=resources.actors, max_size=resources.max_actors, initial_size=resources.initial_actors
    )
    start = Start(labelling.began_at, resources.fetch_slots, resources.decode_slots)
    write = partial(
        write_labels,
        lake=lake,
        run_id=run.run_id,
        settings=settings,
        start=start,
        keep=kept_tables(run.keep),
    )
    chain: Dataset = (
        # read → fetch → decode: as many rows out as in, with one bounded RGB image (about 1 MB) or a failure
        decoded_images(reading, unlabelled, resources)
        # label: as many rows out as in, 500 bytes each and what is kept; an actor holds a GPU and models, crops never leave it
        .map_batches(
            LabelImages,
            fn_constructor_kwargs=models,
            batch_format="pyarrow",
            batch_size=resources.batch_size,
            compute=actors,
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            memory=resources.memory_per_actor_bytes or None,
            max_restarts=-1,  # nodes come and go for as long as the run lasts; LOAD_DEATHS bounds those while it starts
            max_task_retries=TRIES,
        )
        # write: a block of label rows in, a row for each outcome out (the receipt of the staged part); milliseconds
        .map_batches(
            partial(noting_waits, stage=write, notes=watch.notes),
            **WHOLE_BLOCKS,
            num_cpus=WRITE_CPUS,
            max_retries=TRIES,
        )
    )
    chain.set_name(run.collection)  # Ray Data's metrics have it in their tag ``dataset``
    bound_waiting(chain.context, resources, settings.run, labelling.stop)
    show_waits(chain.context, watch.notes, labelling.screen.say)
    return chain


def finish_run(labelling: Labelling, unlabelled: pl.DataFrame, progress: Progress) -> list[Published]:
    """The planned run is labelled and published; once the stop is due, with the images that are done, if there are any.

    Otherwise the run stays unfinished, with what is staged.
    """
    failed_before = find_failures(labelling.lake, labelling.run.run_id)
    # read → fetch → decode → label → write: see label_chain
    label_unlabelled(labelling, unlabelled, progress, label_chain)
    # publish: one row for each planned image, out of the staged parts; one conditional write commits the run
    labelling.screen.wait("publishing")
    cut = Cut(failed_before) if labelling.stop.is_due else None
    spent = Spent(labelling.began_at, labelling.settings.run.price_per_hour)
    published = publish(labelling.lake, labelling.run, labelling.lease, spent, cut=cut)
    progress.published = published is not None
    return [published] if published else []

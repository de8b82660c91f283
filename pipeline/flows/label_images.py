"""A labelling run: plan → read → fetch → decode → label → write → publish."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.earlier_results import find_witnesses
from laketag.pipeline.flows.kept_costs import say_kept_costs
from laketag.pipeline.flows.kept_encoders import check_embeddings
from laketag.pipeline.flows.kept_work import plan_work, say_lacking
from laketag.pipeline.flows.label_attempts import Labelling, label_unlabelled
from laketag.pipeline.flows.label_chain import label_chain
from laketag.pipeline.flows.label_report import LabelReport, make_report
from laketag.pipeline.flows.match_embeddings import Matching
from laketag.pipeline.flows.nothing_to_do import name_others, report_if_done
from laketag.pipeline.flows.plan_run import (
    LabelRequest,
    OtherRuns,
    find_resumable,
    look_up_classifier,
    plan_run,
)
from laketag.pipeline.lake.calibrations import read_calibration
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.publish import Cut, Published, publish
from laketag.pipeline.lake.run_speed import Spent
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import Run, find_failures, remove_leftovers, run_suffix
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen


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
    settings = check_embeddings(settings, from_embeddings=request.from_embeddings)
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
                from_embeddings=request.from_embeddings,
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
        work = plan_work(lake, request, classifier, settings, others)
        say_lacking(lake, work, screen)
        left = work.pending
        if not (work.is_nothing or request.stop.is_due):
            say_kept_costs(lake, classifier, settings, work.rows.height, screen)
            # once only: what fails for a transient reason is for the next call
            last = finish(plan_run(lake, work, classifier, settings), work.rows)
            left = sum(one.run.left for one in last) if last else left
            published += last
            finished = pl.concat([finished, *(run.row for run in last)])
        return make_report(work, settings, finished, published, left)


def finish_run(labelling: Labelling, unlabelled: pl.DataFrame, progress: Progress) -> list[Published]:
    """The planned run is labelled and published; once the stop is due, with the images that are done, if there are any.

    Otherwise the run stays unfinished, with what is staged.
    """
    failed_before = find_failures(labelling.lake, labelling.run.run_id)
    # read → fetch → decode → label → write, or read embeddings → label → write
    chain = Matching() if labelling.from_embeddings else label_chain
    label_unlabelled(labelling, unlabelled, progress, chain)
    # publish: one row for each planned image, out of the staged parts; one conditional write commits the run
    labelling.screen.wait("publishing")
    cut = Cut(failed_before) if labelling.stop.is_due else None
    spent = Spent(labelling.began_at, labelling.settings.run.price_per_hour)
    published = publish(labelling.lake, labelling.run, labelling.lease, spent, cut=cut)
    progress.published = published is not None
    return [published] if published else []

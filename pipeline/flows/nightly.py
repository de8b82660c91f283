"""A night: each collection is indexed, described, labelled and verified, one after the other."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.cluster.ray_runtime import keep_ray
from laketag.pipeline.cluster.work_stop import WorkStop, WorkStoppedError
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import BusyError, LaketagError
from laketag.pipeline.flows.compact_lake import compact_lake
from laketag.pipeline.flows.describe_classes import DescribedSet, DescribeRequest, describe_classes
from laketag.pipeline.flows.index_images import IndexSummary, index_images
from laketag.pipeline.flows.index_request import make_request
from laketag.pipeline.flows.label_images import label_images
from laketag.pipeline.flows.label_report import LabelReport
from laketag.pipeline.flows.night_file import NightCollection
from laketag.pipeline.flows.night_report import CollectionNight, NightReport
from laketag.pipeline.flows.plan_run import LabelRequest
from laketag.pipeline.flows.preview_night import preview_night
from laketag.pipeline.flows.verify_lake import VerifyReport
from laketag.pipeline.lake.nights import write_night
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.runs import RunTable, read_run_table
from laketag.pipeline.lake.verification import verify_runs
from laketag.pipeline.screen import Screen
from laketag.schemas import Nights

MOST_RUN_FILES = 50
"""A night that leaves more files in the table of runs compacts the lake."""


@dataclass(frozen=True, kw_only=True)
class NightRequest:
    """What one call does with the collections of a night."""

    collections: Sequence[NightCollection]
    settings: Settings
    stop: WorkStop = field(default_factory=WorkStop, compare=False)
    """From when on no more work is taken."""
    wait_s: float = 0.0
    """How long to wait for another process that labels the same images."""
    accept_gone: bool = False
    """Write indexes, however many images are gone."""
    dry_run: bool = False
    """Only find out what would be done; nothing is written."""


Show = Callable[
    [IndexSummary | DescribedSet | LabelReport | CollectionNight | VerifyReport | NightReport], object
]
"""Gets what each step gave, each collection when it has ended, and the night at its end, however it ends."""


def run_night(lake: Lake, request: NightRequest, screen: Screen, show: Show) -> NightReport:
    """Each collection is indexed, described, labelled and verified, or has the error that ended it; the night has its rows.

    An error of one collection does not stop the others. One Ray serves all of them.
    """
    night_id = timestamp()
    nights: list[CollectionNight] = []
    known = Known({}, {})
    try:
        with keep_ray():
            for one in request.collections:
                screen.say(f"collection {one.collection}, set {one.description_set}", "bold")
                night = CollectionNight(
                    collection=one.collection,
                    description_set=one.description_set,
                    started_at=datetime.now(UTC),
                )
                nights.append(night)
                try:
                    _work(Work(lake, one, request, night, known), screen, show)
                except WorkStoppedError:
                    night.is_over = True
                except BaseException as error:
                    night.failed_by = error
                    if not isinstance(error, Exception):  # a signal
                        raise
                finally:
                    night.finished_at = datetime.now(UTC)
                    show(night)
        if not request.dry_run:
            table = read_run_table(lake)
            _verify(lake, table, nights, screen, show)
            if not request.stop.is_due:
                _compact(lake, table, screen)
    except BaseException:
        with suppress(LaketagError):  # it would hide the error that is on its way
            _end(lake, request, night_id, nights, show)
        raise
    return _end(lake, request, night_id, nights, show)


def _compact(lake: Lake, table: RunTable, screen: Screen) -> None:
    """The table of runs is in few files, unless another process rewrites it just now."""
    files = len(table.files)
    if files > MOST_RUN_FILES:
        try:
            compact_lake(lake, screen)
        except BusyError as error:  # the next night does it
            screen.say(f"{files:,} files of runs are not compacted: {error}", "yellow")


def _verify(
    lake: Lake, table: RunTable, nights: Sequence[CollectionNight], screen: Screen, show: Show
) -> None:
    """Whether its runs and their files add up is known of each collection that got a run."""
    for night in nights:
        if night.labelled and night.labelled.runs:
            screen.say(f"verifying collection {night.collection}, set {night.description_set}", "bold")
            with night.timed("verify"):
                found = verify_runs(lake, table, [one.run.run_id for one in night.labelled.runs])
            night.verified = not found.faults
            show(VerifyReport(found))


def _end(
    lake: Lake, request: NightRequest, night_id: str, nights: Sequence[CollectionNight], show: Show
) -> NightReport:
    """The report of the night was shown, and its rows are in the table of nights."""
    report = NightReport(tuple(nights))
    show(report)
    if not request.dry_run:
        rows = [{"night_id": night_id} | night.as_row() for night in nights]
        write_night(lake, night_id, pl.DataFrame(rows, schema=Nights.create_empty().schema))
    return report


@dataclass(frozen=True)
class Known:
    """What earlier collections of the night have found out for the later ones."""

    indexed: dict[str, IndexSummary]
    """By collection."""
    described: dict[str, DescribedSet]
    """By set."""


@dataclass(frozen=True)
class Work:
    """A collection of a night."""

    lake: Lake
    wanted: NightCollection
    request: NightRequest
    night: CollectionNight
    known: Known


def _work(work: Work, screen: Screen, show: Show) -> None:
    """The collection is indexed, described and labelled; WorkStoppedError if the time is over before that."""
    lake, wanted, night, settings = work.lake, work.wanted, work.night, work.request.settings
    stop, set_name = work.request.stop, wanted.description_set
    indexed, described = work.known.indexed, work.known.described
    stop.check()
    if work.request.dry_run:
        night.preview = preview_night(lake, wanted, settings, screen)
        return
    if wanted.collection not in indexed:
        with night.timed("index"):
            screen.wait(f"reading {wanted.source}")
            indexing = make_request(wanted, settings, accept_gone=work.request.accept_gone)
            indexed[wanted.collection] = index_images(lake, replace(indexing, stop=stop))
        show(indexed[wanted.collection])
    night.index = indexed[wanted.collection]
    if wanted.file and set_name not in described:
        stop.check()
        with night.timed("describe"):
            describing = DescribeRequest(description_set=set_name, file=wanted.file, stop=stop)
            night.described = describe_classes(lake, describing, wanted.describing(settings), screen)
        described[set_name] = night.described
        show(night.described)
    labelling = LabelRequest(
        collection=wanted.collection,
        description_set=set_name,
        retry=wanted.retry,
        stop=stop,
        wait_s=work.request.wait_s,
    )
    with night.timed("label"):
        night.labelled = label_images(
            lake, labelling, settings.keeping(wanted.keep), screen, night.progress.append
        )
    show(night.labelled)

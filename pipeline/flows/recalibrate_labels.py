"""Deciding anew about the labels of earlier runs, from the scores that these kept: no image is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import BusyError, InputError, describe_ending
from laketag.pipeline.flows.kept_encoders import rounded_format
from laketag.pipeline.flows.redecided_labels import Redeciding, place_labels, redecide_labels
from laketag.pipeline.lake.calibrations import newest_calibration, read_calibration
from laketag.pipeline.lake.forgotten import read_forgotten
from laketag.pipeline.lake.lease import Lease, hold_lease
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import current_runs, read_runs, scan_labels, scan_newest, select_runs_of
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.lake.staging import (
    Run,
    find_unfinished,
    freeze_plan,
    remove_leftovers,
    run_suffix,
    write_part,
)
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Plan

VERSION = ["image_id", "etag"]


@dataclass(frozen=True)
class RecalibrateReport:
    """What was decided anew."""

    calibration: str
    run_id: str | None
    """The last run that this call has published; None if the newest calibration had decided all labels already."""
    labels: int
    """Decided by the calibration in the runs that this call has published; one of them may be of a call that was killed."""
    abstained: int

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {**describe_ending("recalibrate"), **vars(self)}


@dataclass(frozen=True)
class Found:
    """What the newest index has of a classifier."""

    snapshot: str
    images: int
    wanted: pl.DataFrame
    """schemas.Plan: images whose newest row is a label that another calibration, or none, has decided; and its ``run_id``."""
    done: int
    """Further images that have a row in their version."""


def recalibrate_labels(
    lake: Lake, names: tuple[str, str], settings: Settings, screen: Screen
) -> RecalibrateReport:
    """The current labels of the collection and description set (``names``) are decided by their classifier's newest calibration.

    They become the rows of a run of their own, equal to the rows before but for what a calibration decides. An InputError, and
    nothing is published, if there is no calibration or if the scores of a label were not kept.
    """
    collection, set_name = names
    current = current_runs(read_runs(lake).filter(collection=collection, description_set=set_name))
    if current.is_empty():
        raise InputError(
            f"no run has labelled collection {collection!r} with set {set_name!r}; label it first"
        )
    last = current.row(0, named=True)
    fingerprint = last["classifier"]
    content_hash = newest_calibration(lake, collection, fingerprint)
    if content_hash is None and (stored_as := rounded_format(last["made_from"])):
        raise InputError(
            f"collection {collection!r} was labelled last from embeddings in {stored_as}, by a classifier of its own that "
            "laketag calibrate cannot fit a calibration to; label from pixels or from embeddings in fp32, calibrate that, and "
            "recalibrate then"
        )
    if content_hash is None:
        raise InputError(
            f"classifier {fingerprint}, which labelled collection {collection!r} last, has no calibration; fit one with laketag "
            f"calibrate --collection {collection} --set {set_name} and the settings of that run"
        )
    calibration = read_calibration(lake, collection, fingerprint, content_hash)
    suffix = run_suffix(collection, fingerprint)
    with hold_lease(lake, collection + suffix, screen.say) as lease:
        published = finish_earlier(lake, (collection, fingerprint), lease)
        for earlier in published:
            screen.say(f"run {earlier['run_id'].item()} of a call that was killed is published")
        runs = select_runs_of(read_runs(lake), collection, fingerprint)
        found = find_labels(lake, runs, content_hash)
        if found.wanted.is_empty():
            return make_report(lake, content_hash, published)
        screen.wait(f"deciding about {found.wanted.height:,} labels")
        placed = place_labels(lake, runs, found.wanted)
        redeciding = Redeciding(lake, runs, last, calibration, timestamp() + suffix)
        for rows in redecide_labels(redeciding, placed):
            write_part(lake, redeciding.run_id, rows)
            lease.check()
        # frozen last: before, a call that is killed leaves a plan that was never frozen, which the next one removes
        run = make_run(redeciding, found, settings)
        lease.check()  # a process that took the lease over has removed the parts
        freeze_plan(lake, run, found.wanted.drop("run_id"))
        screen.wait("publishing")
        return make_report(lake, content_hash, [*published, _publish(lake, run, lease)])


def make_report(lake: Lake, content_hash: str, published: Sequence[pl.DataFrame]) -> RecalibrateReport:
    """The report of a call that has published these runs, each a row of schemas.Runs, the last one last."""
    if not published:
        return RecalibrateReport(content_hash, None, 0, 0)
    runs = pl.concat(published)
    decided = runs.filter(calibration=content_hash)
    count = pl.col("abstained").sum()
    abstained = through_outages(
        lake.root, lake.storage, lambda: scan_labels(lake, decided).select(count).collect().item()
    )
    return RecalibrateReport(content_hash, runs["run_id"][-1], int(decided["labelled"].sum()), abstained)


def finish_earlier(lake: Lake, names: tuple[str, str], lease: Lease) -> list[pl.DataFrame]:
    """A recalibration that was killed while it was published is published; BusyError if a run of label is unfinished.

    Returns the row of each published run (schemas.Runs).
    """
    finished = read_runs(lake)["run_id"]
    remove_leftovers(lake, *names, finished)
    unfinished = find_unfinished(lake, *names, finished)
    for run in unfinished:
        if not run.recalibrated:
            raise BusyError(
                f"run {run.run_id} of the same classifier is unfinished; finish it with laketag label, and recalibrate then"
            )
    return [_publish(lake, run, lease) for run in unfinished]


def _publish(lake: Lake, run: Run, lease: Lease) -> pl.DataFrame:
    published = publish(lake, run, lease)
    assert published is not None, "only a run that is cut may have nothing to publish"
    return published.row


def find_labels(lake: Lake, runs: pl.DataFrame, content_hash: str) -> Found:
    """What the newest index has of the classifier whose runs these are, and which of it the calibration has not decided."""
    collection = runs["collection"][0]
    snapshot = latest_snapshot(lake, collection)
    decided = runs.filter(pl.col("calibration") == content_hash)["run_id"]

    def find() -> tuple[pl.DataFrame, int]:
        index = scan_snapshot(lake, snapshot)
        newest = scan_newest(lake, runs).select(
            *VERSION,
            "run_id",
            "earlier_attempts",
            wanted=pl.col("label").is_not_null() & ~pl.col("run_id").is_in(decided.implode()),
        )
        rows = index.join(newest, on=VERSION, maintain_order="left").select(
            *Plan.column_names(), "run_id", "wanted"
        )
        return rows.collect(), index.select(pl.len()).collect().item()

    rows, images = through_outages(lake.root, lake.storage, find)
    wanted = rows.filter("wanted").drop("wanted")
    wanted = wanted.filter(~read_forgotten(lake).find_in(wanted, collection))
    return Found(snapshot.name, images, wanted, rows.height - wanted.height)


def make_run(redeciding: Redeciding, found: Found, settings: Settings) -> Run:
    """The run, which is of the classifier of the runs before it, and keeps nothing: the scores are those of these runs."""
    same = (
        "collection",
        "classifier",
        "description_set",
        "description_version",
        "method",
        "settings",
        "models",
    )
    return Run(
        run_id=redeciding.run_id,
        **{name: redeciding.last[name] for name in same},
        snapshot=found.snapshot,
        index_rows=found.images,
        already_done=found.done,
        planned=found.wanted.height,
        left=found.images - found.done - found.wanted.height,
        rows_per_file=settings.run.rows_per_file,
        started_at=max(datetime.now(UTC), redeciding.runs["finished_at"][-1]).isoformat(),
        calibration=redeciding.calibration.content_hash,
        recalibrated=True,
    )

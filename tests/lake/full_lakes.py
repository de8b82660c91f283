"""Lakes that verify: every run has its snapshot and descriptions, and was frozen, staged and published as in life.

Their runs keep the scores of all classes.
"""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.publish import Published, publish
from laketag.pipeline.lake.runs import read_runs, select_runs_of
from laketag.pipeline.lake.snapshots import Snapshot, write_snapshot
from laketag.pipeline.lake.staging import Run, freeze_plan, run_suffix, scan_plan, write_part
from laketag.schemas import Plan
from tests.lake.label_rows import index_rows, label_frame, label_row, score_frame
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN


def freeze_night(lake: Lake, images: dict[str, str], classifier: str = RUN.classifier) -> Run:
    """An index of these images, by id and version, was written, and a run over what is pending is frozen in staging."""
    etags = pl.Series(list(images.values()), dtype=pl.String)
    snapshot = write_snapshot(lake, RUN.collection, [index_rows(list(images)).with_columns(etag=etags)])
    return freeze_rest(lake, snapshot, classifier)


def freeze_rest(lake: Lake, snapshot: Snapshot, classifier: str = RUN.classifier) -> Run:
    """A run over what is pending in the snapshot is frozen in staging."""
    version = write_pets(lake, classifier, RUN.description_set).version
    runs = select_runs_of(read_runs(lake), RUN.collection, classifier)
    pending = find_pending(lake, snapshot, runs)
    run = replace(
        RUN,
        run_id=timestamp() + run_suffix(RUN.collection, classifier),
        snapshot=snapshot.name,
        classifier=classifier,
        description_version=version,
        index_rows=pending.index_rows,
        already_done=pending.index_rows - pending.rows.height,
        planned=pending.rows.height,
        started_at=datetime.now(UTC).isoformat(),
        keep="scores",
    )
    freeze_plan(lake, run, pending.rows.select(Plan.column_names()))
    return run


def label_night(
    lake: Lake, images: dict[str, str], classifier: str = RUN.classifier, *, failed: str = ""
) -> Published:
    """As freeze_night, and the run is labelled, but for the images with these letters, and published."""
    run = freeze_night(lake, images, classifier)
    stage_night(lake, run, failed)
    with hold_lease(lake, "x") as lease:
        published = publish(lake, run, lease)
    assert published is not None
    return published


def stage_night(lake: Lake, run: Run, failed: str = "") -> None:
    """All planned images of the run are staged."""
    rows = [
        label_row(image, etag=etag, failure="timeout" if image in failed else None, run_id=run.run_id)
        for image, etag in scan_plan(lake, run.run_id).select("image_id", "etag").collect().iter_rows()
    ]
    frame = label_frame(rows)
    write_part(lake, run.run_id, frame, {"scores": score_frame(frame)})

"""Runs for tests that need a lake but no model."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta

import polars as pl

from laketag.pipeline.lake.label_files import kept_columns, write_run_file
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, freeze_plan
from laketag.pipeline.lake.tables import create_table, write_table
from laketag.schemas import Labels, Runs, Scores
from tests.lake.label_rows import EPOCH, label_frame, plan_rows, score_frame

RUN = Run(
    run_id="20260101T000000.000000Z-f00d",
    collection="photos",
    snapshot="s",
    classifier="f00d",
    description_set="animals",
    description_version="v",
    method="abs",
    index_rows=0,
    already_done=0,
    planned=0,
    rows_per_file=100,
    settings="{}",
    models="{}",
    started_at=EPOCH.isoformat(),
)
"""A run without images: tests replace what matters to them."""


def freeze_run(lake: Lake, ids: str | list[str], run_id: str = RUN.run_id, rows_per_file: int = 100) -> Run:
    """A run over images with these ids is frozen in staging."""
    run = replace(RUN, run_id=run_id, index_rows=len(ids), planned=len(ids), rows_per_file=rows_per_file)
    freeze_plan(lake, run, plan_rows(ids))
    return run


def write_run(
    lake: Lake,
    number: int,
    rows: list[dict[str, object]],
    *,
    files: int = 1,
    committed: bool = True,
    finished: int | None = None,
    **changes: str,
) -> str:
    """The rows (of tests.lake.label_rows) are published as the number-th run, in that many files; returns its id.

    It finished on the day ``finished``, by default that of its plan.

    A run that is not committed has its label files but no row of its own, like a run that was killed.
    """
    run_id = f"2026010{number}T000000.000000Z-{changes.get('classifier', RUN.classifier)}"
    run = replace(RUN, run_id=run_id, index_rows=len(rows), planned=len(rows), **changes)  # type: ignore[arg-type]  # names of text fields
    frame = label_frame([row | {"run_id": run_id} for row in rows]).sort("image_id")
    names, kept = [], []
    for part, slice_ in enumerate(frame.iter_slices(max(1, -(-frame.height // files)))):
        url = f"{lake.labels(run.collection, run.classifier, run_id)}/part-{part:05d}.parquet"
        write_table(slice_, url, Labels, lake.storage)
        names.append(url.removeprefix(lake.root + "/"))
        if run.keep:
            beside = url.replace("/labels/", "/scores/")
            kept.append(
                write_run_file(lake, beside, score_frame(slice_), Scores, {"classes": '["dog", "cat"]'})
            )
    if not committed:
        return run_id
    reasons = Counter(row["failure"] for row in rows if row["failure"])
    row = asdict(run) | {
        "labelled": len(rows) - reasons.total(),
        "failures": [{"reason": reason, "images": images} for reason, images in reasons.items()],
        "files": names,
        **(kept_columns(kept) if run.keep else {}),
        "keep": run.keep or None,
        "started_at": EPOCH + timedelta(days=number),
        "finished_at": EPOCH + timedelta(days=finished or number, hours=1),
        "images_per_s": 12.5,
        "writer": "w",
        "laketag_version": "0",
    }
    create_table(pl.DataFrame([row], schema=Runs.create_empty().schema), lake.run(run_id), Runs, lake.storage)
    return run_id

"""Finished runs for tests that need a lake but no model."""

from collections import Counter
from datetime import timedelta

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import create_table, write_table
from laketag.schemas import Labels, Runs
from tests.lake.label_rows import EPOCH, label_frame


def write_run(
    lake: Lake,
    number: int,
    rows: list[dict[str, object]],
    *,
    collection: str = "photos",
    classifier: str = "f00d",
    description_set: str = "animals",
    files: int = 1,
    committed: bool = True,
) -> str:
    """The rows (of tests.lake.label_rows) are published as the number-th run, in so many files; returns its id.

    A run that is not committed has its label files but no row of its own, as one that was killed.
    """
    run_id = f"2026010{number}T000000.000000Z-{classifier}"
    frame = label_frame([row | {"run_id": run_id} for row in rows]).sort("image_id")
    folder = lake.labels(collection, classifier, run_id)
    size = max(1, -(-frame.height // files))
    names = []
    for part, slice_ in enumerate(frame.iter_slices(size)):
        url = f"{folder}/part-{part:05d}.parquet"
        write_table(slice_, url, Labels, lake.storage)
        names.append(url.removeprefix(lake.root + "/"))
    if not committed:
        return run_id
    reasons = Counter(row["failure"] for row in rows if row["failure"])
    row = {
        "run_id": run_id,
        "collection": collection,
        "snapshot": "s",
        "classifier": classifier,
        "description_set": description_set,
        "description_version": "v",
        "method": "abs",
        "index_rows": len(rows),
        "already_done": 0,
        "planned": len(rows),
        "labelled": len(rows) - reasons.total(),
        "failures": [{"reason": reason, "images": images} for reason, images in reasons.items()],
        "files": names,
        "settings": "{}",
        "models": "{}",
        "started_at": EPOCH + timedelta(days=number),
        "finished_at": EPOCH + timedelta(days=number, hours=1),
        "images_per_s": 12.5,
        "writer": "w",
        "laketag_version": "0",
    }
    create_table(pl.DataFrame([row], schema=Runs.create_empty().schema), lake.run(run_id), Runs, lake.storage)
    return run_id

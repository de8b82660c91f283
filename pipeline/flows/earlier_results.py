"""What is known of images from earlier attempts of a run and from the runs before it."""

import polars as pl

from laketag.pipeline.images.witnesses import KEPT, Witnesses
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import label_files
from laketag.pipeline.lake.staging import Run, list_parts, scan_parts
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Labels

LABEL_FILES = 3
"""Of how many files of labels images are taken that were read."""
WITNESSES = 1000
"""The most images that a process is given."""


def failed_first(lake: Lake, run: Run, rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """The same planned rows, those first that an earlier attempt has staged as failed, and how many there are by reason."""
    key = ["image_id", "etag"]

    def find() -> pl.DataFrame:
        parts = scan_parts(lake, run.run_id).filter(pl.col("failure").is_not_null())
        return parts.select(*key, pl.col("failure").cast(pl.String)).unique(key).collect()

    failed = through_outages(lake.root, lake.storage, find)
    first = rows.join(failed, on=key, how="semi", maintain_order="left")
    counts = rows.join(failed, on=key).group_by("failure").len()
    return (
        pl.concat([first, rows.join(failed, on=key, how="anti", maintain_order="left")]),
        dict(counts.iter_rows()),
    )


def find_witnesses(lake: Lake, run: Run, finished: pl.DataFrame, planned: pl.DataFrame) -> Witnesses:
    """Of each bucket, or folder near the top of this machine's, one image that this run or the last of the finished ones
    (schemas.Runs) has labelled; if none of a few files of labels has any, some that are planned (schemas.Plan)."""
    store = pl.col("uri").str.extract(r"^(\w[\w+.-]*://[^/]*|/[^/]+(?:/[^/]+)?)/").alias("store")

    def find() -> pl.DataFrame:
        with_labels = finished.filter(pl.col("collection") == run.collection, pl.col("labelled") > 0)
        published = label_files(lake, with_labels)[-LABEL_FILES:]
        files = published + list_parts(lake, run.run_id)[-LABEL_FILES:]
        rows = scan_table(files, Labels, lake.storage) if files else Labels.create_empty(lazy=True)
        rows = rows.filter(pl.col("label").is_not_null()).select("uri")
        return rows.group_by(store).agg(pl.col("uri").last()).drop_nulls().collect()

    sample = planned.gather_every(max(1, planned.height // WITNESSES)).sample(fraction=1, shuffle=True)
    unread = sample.group_by(store).agg(pl.col("uri").head(KEPT)).drop_nulls().explode("uri")
    if unread.is_empty():
        return Witnesses()
    read = through_outages(lake.root, lake.storage, find)
    return Witnesses(tuple(read["uri"].head(WITNESSES)), tuple(unread["uri"].head(WITNESSES)))

"""The rows that queries of images start from: the newest row of each image, with the class that the index states for it.

**Current rows**: for each (collection, description set) only the classifier of the newest run with a label counts; name an
older classifier to see its rows. Among the runs of that classifier, the newest row of each image counts, if the newest
snapshot of the collection has the image in the version that was labelled. Other rows are history. The newest run of
each image id, where there are several runs, and the images of the snapshot are held in memory; rows are streamed.
"""

import polars as pl

from laketag.pipeline.lake.filters import ImageFilter, RowFilter, select_runs, select_since
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import current_runs, scan_newest
from laketag.pipeline.lake.snapshots import find_snapshot, open_snapshot, scan_snapshot
from laketag.pipeline.store.errors import store_errors
from laketag.schemas import Labels

FROM_RUN = ("collection", "description_set", "classifier")
"""Columns of the run that queries of images show."""


def scan_current(lake: Lake, finished: pl.DataFrame, which: ImageFilter) -> pl.LazyFrame:
    """The rows that the filters choose: the columns of schemas.Labels, FROM_RUN and ``true_class``.

    A classifier has one description set, so the runs of a (collection, classifier) have one description set too.
    """
    current = current_runs(select_runs(finished, which))
    parts = [_no_rows()]
    for names in current.sort("collection", "description_set").iter_rows(named=True):
        same_classifier = RowFilter(
            collection=names["collection"], classifier=names["classifier"], run_id=which.get("run_id")
        )
        with store_errors(lake.root):
            rows = scan_newest(lake, select_runs(finished, same_classifier))
            rows = _with_true_class(lake, rows, names, which)
        parts.append(rows.with_columns(pl.lit(names[name]).alias(name) for name in FROM_RUN))
    rows = pl.concat(parts[1:] or parts).with_columns(pl.col("failure").cast(pl.String))
    return select_since(rows, "labelled_at", which)


def _with_true_class(lake: Lake, rows: pl.LazyFrame, run: dict[str, str], which: ImageFilter) -> pl.LazyFrame:
    """The rows with what the index states for their images; only those whose image it has, unless history is wanted."""
    named_run, history = which.get("run_id") is not None, which.get("history")
    collection = run["collection"]
    snapshot = (
        open_snapshot(lake, collection, run["snapshot"]) if named_run else find_snapshot(lake, collection)
    )
    if snapshot is None:  # nothing says which images are gone
        return rows.with_columns(true_class=pl.lit(None, pl.String))
    images = scan_snapshot(lake, snapshot)
    if named_run or history:
        return rows.join(
            images.select("image_id", "true_class"), on="image_id", how="left", maintain_order="left"
        )
    return rows.join(
        images.select("image_id", "etag", "true_class"), on=["image_id", "etag"], maintain_order="left"
    )


def _no_rows() -> pl.LazyFrame:
    """No rows, but all columns, so that queries of an empty lake return the same columns."""
    empty = Labels.create_empty(lazy=True)
    return empty.with_columns(pl.lit(None, pl.String).alias(name) for name in ("true_class", *FROM_RUN))

"""The rows that queries of images start from: the newest row of each image, and how the newest index has that image.

For each (collection, description set) only the classifier of the newest run with a label counts; name an older
classifier to see its rows. Among the runs of that classifier, the newest row of each image counts. Its **status** compares
it with the newest snapshot of the collection: ``current`` if that has the image in the version of the row, ``stale`` if in
another version, ``removed`` if not at all. Rows of removed images are left out unless they are requested, or a run is
named. A decision of a person about the version of the row takes the place of its label, unless a run is named
(laketag.pipeline.lake.decided_rows).
The newest run of each image id, where there are several runs, and the images of the snapshot are held in memory;
rows are streamed.
"""

from typing import Literal

import polars as pl

from laketag.pipeline.lake.decided_rows import FROM_DECISIONS, decide_rows
from laketag.pipeline.lake.decisions import Decided
from laketag.pipeline.lake.filters import ImageFilter, RowFilter, select_runs, select_since
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import current_runs, scan_newest
from laketag.pipeline.lake.snapshots import find_snapshot, open_snapshot, scan_snapshot
from laketag.pipeline.store.errors import store_errors
from laketag.schemas import Decisions, Labels

Status = Literal["current", "stale", "removed"]
CURRENT: Status = "current"
STALE: Status = "stale"
REMOVED: Status = "removed"
FROM_RUN = ("collection", "description_set", "classifier")
"""Columns of the run that queries of images show."""
FROM_INDEX = ("true_class", "status")


def scan_current(lake: Lake, finished: pl.DataFrame, which: ImageFilter) -> pl.LazyFrame:
    """The rows that the filters choose: the columns of schemas.Labels, FROM_RUN, FROM_INDEX and FROM_DECISIONS.

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
            rows = _compare_with_index(lake, rows, names, which)
            rows = decide_rows(rows, find_decisions(lake, names, which))
        parts.append(rows.with_columns(pl.lit(names[name]).alias(name) for name in FROM_RUN))
    rows = pl.concat(parts[1:] or parts).with_columns(pl.col("failure").cast(pl.String))
    return select_since(rows, "labelled_at", which)


def _compare_with_index(
    lake: Lake, rows: pl.LazyFrame, run: dict[str, str], which: ImageFilter
) -> pl.LazyFrame:
    """The rows with FROM_INDEX; without those of removed images, unless they are wanted."""
    named_run = which.get("run_id") is not None
    newest = find_snapshot(lake, run["collection"])
    if newest is None:  # nothing tells which images are gone
        return rows.with_columns(true_class=pl.lit(None, pl.String), status=pl.lit(CURRENT))
    images = scan_snapshot(lake, newest).select("image_id", "true_class", indexed="etag")
    wanted: Literal["left", "inner"] = "left" if named_run or which.get("also_removed") else "inner"
    status = (
        pl.when(pl.col("indexed").is_null())
        .then(pl.lit(REMOVED))
        .when(pl.col("indexed") == pl.col("etag"))
        .then(pl.lit(CURRENT))
        .otherwise(pl.lit(STALE))
    )
    rows = rows.join(images, on="image_id", how=wanted, maintain_order="left")
    rows = rows.with_columns(status=status).drop("indexed")
    if named_run and run["snapshot"] != newest.name:
        own = open_snapshot(lake, run["collection"], run["snapshot"])
        if own is not None:
            classes = scan_snapshot(lake, own).select("image_id", "true_class")
            rows = rows.drop("true_class").join(classes, on="image_id", how="left", maintain_order="left")
    return rows


def find_decisions(lake: Lake, run: dict[str, str], which: ImageFilter) -> pl.DataFrame:
    """The decisions that count for the rows; none if exactly the rows of a run are wanted."""
    if which.get("run_id") is not None:
        return Decisions.create_empty()
    return Decided(lake, run["collection"], run["description_set"]).read_current()


def _no_rows() -> pl.LazyFrame:
    """No rows, but all columns, so that queries of an empty lake return the same columns."""
    empty = Labels.create_empty(lazy=True)
    names = (*FROM_INDEX, *FROM_DECISIONS, *FROM_RUN)
    return empty.with_columns(pl.lit(None, pl.String).alias(name) for name in names)

"""Finished runs, and the label files that they published."""

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_table, scan_table
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Labels, Runs


def read_runs(lake: Lake, collection: str | None = None, fingerprint: str | None = None) -> pl.DataFrame:
    """The finished runs (schemas.Runs) of the collection and of the classifier with this fingerprint, or of all.

    They are in the order in which they finished.
    """
    files = list_files(lake.path("runs"), lake.storage)
    runs = read_table(files, Runs, lake.storage) if files else Runs.create_empty()
    if collection is not None:
        runs = runs.filter(pl.col("collection") == collection)
    if fingerprint is not None:
        runs = runs.filter(pl.col("classifier") == fingerprint)
    return runs.sort("finished_at", "run_id")


def label_files(lake: Lake, runs: pl.DataFrame) -> list[str]:
    """URLs of the label files that these runs published."""
    return [f"{lake.root}/{file}" for file in runs["files"].explode().drop_nulls()]


def scan_newest(lake: Lake, runs: pl.DataFrame) -> pl.LazyFrame:
    """Each image's row of the run that finished last (schemas.Labels), lazily.

    The runs have the same classifier and the order of read_runs. Their ids do not tell which finished last: a
    sample may be planned and finished while an older run is unfinished.
    """
    rows = scan_labels(lake, runs)
    if runs.height <= 1:  # nothing to compare, so rows can be streamed
        return rows
    ages = runs.lazy().select("run_id").with_row_index("age")
    newest = (
        rows.select("image_id", "run_id")
        .join(ages, on="run_id")
        .group_by("image_id")
        .agg(pl.col("age").max())
        .join(ages, on="age")
    )
    return rows.join(newest, on=["image_id", "run_id"], how="semi", maintain_order="left")


def current_runs(runs: pl.DataFrame) -> pl.DataFrame:
    """The run of each collection and description set whose classifier's labels are current: the last with a label, if any.

    The runs have the order of read_runs. A run of another classifier in which all images failed hides no label.
    """
    with_label_last = runs.sort(pl.col("labelled") > 0, maintain_order=True)
    return with_label_last.unique(["collection", "description_set"], keep="last")


def scan_labels(lake: Lake, runs: pl.DataFrame) -> pl.LazyFrame:
    """All rows that these runs published (schemas.Labels), lazily, including rows that later runs replaced."""
    files = label_files(lake, runs)
    return scan_table(files, Labels, lake.storage) if files else Labels.create_empty(lazy=True)

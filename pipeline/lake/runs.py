"""Finished runs, and the label files that they published."""

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_table, scan_table
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Labels, Runs


def read_runs(lake: Lake, collection: str | None = None, fingerprint: str | None = None) -> pl.DataFrame:
    """The finished runs (schemas.Runs) of the collection and of the classifier with this fingerprint, or of all, oldest first."""
    files = list_files(lake.path("runs"), lake.storage)
    runs = read_table(files, Runs, lake.storage) if files else Runs.create_empty()
    if collection is not None:
        runs = runs.filter(pl.col("collection") == collection)
    if fingerprint is not None:
        runs = runs.filter(pl.col("classifier") == fingerprint)
    return runs.sort("run_id")


def label_files(lake: Lake, runs: pl.DataFrame) -> list[str]:
    """URLs of the label files that these runs published."""
    return [f"{lake.root}/{file}" for file in runs["files"].explode().drop_nulls()]


def scan_newest(lake: Lake, runs: pl.DataFrame) -> pl.LazyFrame:
    """The newest row of each image in these runs (schemas.Labels), lazily; the runs must have the same classifier."""
    rows = scan_labels(lake, runs)
    if runs.height <= 1:  # nothing to compare, so rows can be streamed
        return rows
    newest = rows.select("image_id", "run_id").group_by("image_id").agg(pl.col("run_id").max())
    return rows.join(newest, on=["image_id", "run_id"], how="semi", maintain_order="left")


def scan_labels(lake: Lake, runs: pl.DataFrame) -> pl.LazyFrame:
    """All rows that these runs published (schemas.Labels), lazily, including rows that later runs replaced."""
    files = label_files(lake, runs)
    return scan_table(files, Labels, lake.storage) if files else Labels.create_empty(lazy=True)

"""Lakes that earlier versions wrote are still read."""

from pathlib import Path

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_descriptions_table
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot

ROOT = str(Path(__file__).parent / "0.1.0" / "lake")


def test_its_runs_labels_and_failures_are_read() -> None:
    assert queries.runs(ROOT).collect()["labelled"].to_list() == [12, 2]
    labels = queries.labels(ROOT).collect()
    assert labels.height == 13  # one was labelled in both runs
    assert labels["image_id"].is_unique().all()
    assert queries.failures(ROOT).collect()["failure"].to_list() == ["truncated"]
    assert queries.summary(ROOT).select(pl.col("images").sum()).collect().item() == 13


def test_its_index_and_descriptions_are_read() -> None:
    lake = open_lake(ROOT, StorageSettings())
    assert scan_snapshot(lake, latest_snapshot(lake, "drawings")).collect().height == 14
    found = latest_embedded_set(lake, "drawings")
    rows = read_descriptions_table(lake, found.name, found.version)
    assert rows.filter(pl.col("drop_reason").is_null(), pl.col("position") >= 0).height == 3

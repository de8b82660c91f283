"""Lakes that earlier versions wrote are still read, and their tables still written in the same way."""

import io
from pathlib import Path

import dataframely as dy
import polars as pl
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_descriptions_table
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.lake.tables import encode_table, read_footer, read_table
from laketag.schemas import Descriptions, ImageIndex, Labels, Runs

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


@pytest.mark.parametrize(
    ("folder", "schema"),
    [("index", ImageIndex), ("descriptions", Descriptions), ("labels", Labels), ("runs", Runs)],
)
def test_its_files_are_written_again_with_the_same_columns_types_order_and_footer(
    folder: str, schema: type[dy.Schema]
) -> None:
    files = sorted(Path(ROOT, folder).rglob("*.parquet"))
    assert files
    for file in files:
        rows = read_table(str(file), schema, StorageSettings())
        footer = read_footer(str(file), StorageSettings())
        again = pq.read_schema(io.BytesIO(encode_table(rows, schema, footer)))
        assert again.equals(pq.read_schema(file), check_metadata=True)

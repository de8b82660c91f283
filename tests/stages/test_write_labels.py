from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest
from dataframely.exc import ValidationError

from laketag.pipeline.config import DecodeSettings, FetchSettings, Settings, StorageSettings
from laketag.pipeline.images.failure_dependencies import readable_extensions
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.run_work import Start, sum_work
from laketag.pipeline.lake.staging import list_parts, scan_parts
from laketag.pipeline.lake.tables import read_table
from laketag.pipeline.stages.stage_times import WORK_COLUMNS
from laketag.pipeline.stages.write_labels import write_labels
from laketag.schemas import FAILURES, StagedLabels, label_arrow_schema
from tests.lake.label_rows import label_row

START = Start(datetime(2026, 1, 1, tzinfo=UTC), fetch_slots=2, decode_slots=3)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return open_lake(str(tmp_path), StorageSettings())


def batch(*rows: dict[str, object]) -> pa.Table:
    """Rows as they come from the label stage."""
    work = {"fetched_bytes": 10, "fetch_s": 0.5, "decode_s": 0.25, "label_s": 1.0, "actor": "node/1"}
    schema = pa.schema([*label_arrow_schema(), *WORK_COLUMNS.items()])
    return pa.Table.from_pylist([row | work for row in rows], schema)


def write(rows: pa.Table, lake: Lake) -> pa.Table:
    fetch = FetchSettings(max_bytes=100, allowed_roots=("/b", "/a"))
    settings = Settings(fetch=fetch, decode=DecodeSettings(max_pixels=200))
    return write_labels(rows, lake=lake, run_id="r", settings=settings, start=START)


def test_failures_are_staged_with_what_they_depended_on(lake) -> None:
    write(batch(label_row("l"), *(label_row(reason, failure=reason) for reason in FAILURES)), lake)
    rows = scan_parts(lake, "r").filter(pl.col("failure_depended_on").is_not_null()).collect()
    found = dict(rows.select("image_id", "failure_depended_on").iter_rows())
    assert found.pop("unsupported").split() == readable_extensions()
    assert found == {"too_large": "100", "too_many_pixels": "200", "outside_policy": '["/a", "/b"]'}


def test_rows_are_staged_and_the_receipt_counts_neighbours_of_one_outcome(lake) -> None:
    failed = label_row("c", failure="timeout") | {"attempts": 4}
    rows = batch(label_row("a"), label_row("b") | {"attempts": 0}, failed)
    receipt = pl.DataFrame(write(rows, lake))
    counts = ["outcome", "images", "fetched_bytes", "retries"]
    assert receipt.select(counts).rows() == [("labelled", 2, 20, 0), ("timeout", 1, 10, 3)]
    assert receipt["uri"].to_list() == ["/images/a.png", "/images/c.png"]
    assert scan_parts(lake, "r").sort("image_id").collect()["image_id"].to_list() == ["a", "b", "c"]


def test_rows_are_staged_with_what_they_have_cost_once_even_if_the_task_is_repeated(lake) -> None:
    for _ in range(2):
        write(batch(label_row("a"), label_row("b", failure="timeout")), lake)
    (work,) = sum_work(read_table(list_parts(lake, "r"), StagedLabels, lake.storage)).to_dicts()
    assert (work["start_at"], work["actor"], work["images"]) == (START.began_at, "node/1", 2)
    assert (work["fetched_bytes"], work["fetch_s"], work["decode_s"], work["label_s"]) == (20, 1.0, 0.5, 2.0)
    assert work["began_at"] < work["ended_at"]


def test_poison_is_counted_and_not_staged(lake) -> None:
    """The driver stages it, after another trial."""
    rows = batch(label_row("a"), label_row("b", failure="poison"))
    receipt = pl.DataFrame(write(rows, lake)).sort("outcome")
    assert receipt.select("outcome", "images").rows() == [("labelled", 1), ("poison", 1)]
    assert scan_parts(lake, "r").collect()["image_id"].to_list() == ["a"]
    write(rows.slice(1), lake)
    assert len(list_parts(lake, "r")) == 1


def test_a_row_that_breaks_the_contract_is_not_staged(lake) -> None:
    neither = label_row("a") | {"label": None}
    with pytest.raises(ValidationError, match="labelled_or_failed"):
        write(batch(neither), lake)
    assert list_parts(lake, "r") == []


def test_what_a_run_keeps_is_staged_beside_the_labels_and_not_among_them(lake) -> None:
    rows = pl.DataFrame(batch(label_row("a"), label_row("b", failure="timeout"), label_row("c")))
    scored = rows.with_columns(scores=pl.Series([[1.0, 2.5], None, [3.0, 4.0]], dtype=pl.List(pl.Float16)))
    write_labels(scored.to_arrow(), lake=lake, run_id="r", settings=Settings(), start=START, keep=["scores"])
    (labels,) = list_parts(lake, "r")
    assert pl.read_parquet(labels).columns == StagedLabels.column_names()
    found = pl.read_parquet(labels.replace("/parts/", "/scores/"))
    assert found.select("image_id", "scores").rows() == [("a", [1.0, 2.5]), ("c", [3.0, 4.0])]

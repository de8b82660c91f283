import polars as pl
import pytest
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.run_folds import rewrite_runs
from laketag.pipeline.lake.runs import (
    current_runs,
    read_run_table,
    read_runs,
    scan_labels,
    scan_newest,
    select_runs_of,
)
from laketag.pipeline.lake.sql import sql
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run


def test_runs_are_read_oldest_first_and_by_collection_and_classifier(lake) -> None:
    second = write_run(lake, 2, [label_row("a")])
    first = write_run(lake, 1, [label_row("a")], classifier="beef")
    scans = write_run(lake, 3, [label_row("a")], collection="scans")
    assert read_runs(lake)["run_id"].to_list() == [first, second, scans]
    assert select_runs_of(read_runs(lake), "photos", "f00d")["run_id"].to_list() == [second]


def test_the_newest_row_of_an_image_is_that_of_the_newest_run(lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b")])
    write_run(lake, 2, [label_row("a", label="dog")])
    write_run(lake, 3, [label_row("b", label="dog")], committed=False)
    runs = read_runs(lake)
    assert scan_labels(lake, runs).select("image_id", "label").collect().rows() == [
        ("a", "cat"),
        ("b", "cat"),
        ("a", "dog"),
    ]
    assert scan_newest(lake, runs).select("image_id", "label").collect().rows() == [
        ("b", "cat"),
        ("a", "dog"),
    ]


def test_the_newest_run_is_the_one_that_finished_last_whenever_it_was_planned(lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b")], finished=3)
    write_run(lake, 2, [label_row("a", failure="forbidden")])
    newest = scan_newest(lake, read_runs(lake)).select("image_id", "label").sort("image_id").collect()
    assert newest.rows() == [("a", "cat"), ("b", "cat")]


def test_a_run_without_any_label_hides_no_label_of_another_classifier(lake) -> None:
    assert current_runs(read_runs(lake)).is_empty()
    failed = write_run(lake, 1, [label_row("a", failure="forbidden")], classifier="beef")
    assert current_runs(read_runs(lake))["run_id"].to_list() == [failed]
    labelled = write_run(lake, 2, [label_row("a")])
    write_run(lake, 3, [label_row("a", failure="forbidden")], classifier="beef")
    assert current_runs(read_runs(lake))["run_id"].to_list() == [labelled]


@pytest.mark.parametrize("name", [*queries.TABLES, "sql"])
def test_a_query_reads_each_file_of_the_table_of_runs_once_and_of_folded_runs_one_file(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for number in range(1, 6):
        write_run(lake, number, [label_row("a")])
    rewrite_runs(lake, table := read_run_table(lake), table.rows)
    write_run(lake, 6, [label_row("a")])
    read, reads = LocalFileSystem.cat_file, []

    def counted(filesystem: LocalFileSystem, path: str, **options: object) -> bytes:
        reads.append(path.rpartition("/runs/")[2])
        return bytes(read(filesystem, path, **options))

    monkeypatch.setattr(LocalFileSystem, "cat_file", counted)
    query = "SELECT * FROM labels JOIN runs USING (run_id) JOIN failures USING (run_id)"
    frame: pl.LazyFrame = sql(lake.root, query) if name == "sql" else queries.TABLES[name](lake.root)
    frame.collect()
    assert [path for path in reads if path.endswith(".parquet")] == [
        "fold-000001.parquet",
        "20260106T000000.000000Z-f00d.parquet",
    ]

"""Compaction, disturbed: queries find the same rows before, while and after files are merged, wherever it is killed."""

import shutil
import uuid
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.compaction import compact
from laketag.pipeline.lake.kept_scores import read_scores
from laketag.pipeline.lake.label_files import files_of, kept_files_of
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.run_folds import named_files
from laketag.pipeline.lake.runs import label_files, read_run_table, read_runs, scan_labels
from laketag.pipeline.lake.sql import sql
from tests.lake.disturbed import Killed, before_each_change, kill_at
from tests.lake.full_lakes import label_night

NOT_OF_FILES = pl.exclude("^(kept_)?file.*$")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake after nights with a new, a changed and a gone image, two failures, and another classifier."""
    lake = open_lake(str(tmp_path_factory.mktemp("nights")), StorageSettings())
    label_night(lake, {"a": "1", "b": "1"}, "beef")
    label_night(lake, {"a": "1", "b": "1"}, failed="b")
    label_night(lake, {"a": "2", "b": "1", "c": "1"}, failed="c")
    label_night(lake, {"a": "2", "c": "1", "d": "1"})
    return Path(lake.root)


@pytest.fixture
def nights(lake: Lake, made: Path) -> Lake:
    """A copy of that lake."""
    shutil.copytree(made, lake.root, dirs_exist_ok=True)
    return lake


def answers(lake: Lake) -> dict[str, pl.DataFrame]:
    """What all queries answer, also about history, single runs and old classifiers; rows in one order."""
    root = lake.root
    frames = {name: table(root) for name, table in queries.TABLES.items() if name != "runs"}
    frames["runs"] = queries.runs(root).select(NOT_OF_FILES)
    frames["history"] = queries.labels(root, also_removed=True)
    frames["beef"] = queries.labels(root, classifier="beef")
    frames["sql"] = sql(root, "SELECT label, count(*) AS images FROM labels GROUP BY label")
    for run_id in read_runs(lake)["run_id"]:
        frames[run_id] = queries.labels(root, run_id=run_id)
    frames["scores"] = pl.concat([found.rows for found in read_scores(lake, read_runs(lake))]).lazy()
    found = {name: frame.collect() for name, frame in frames.items()}
    order = {
        name: [n for n in ("uri", "label", "rank", "run_id") if n in rows.columns]
        for name, rows in found.items()
    }
    return {name: rows.sort(order[name]) for name, rows in found.items()}


def merge(lake: Lake) -> int:
    with hold_lease(lake, uuid.uuid4().hex) as lease:  # one of a killed process would be watched first
        return compact(lake, read_run_table(lake), lease)


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    for name, rows in one.items():
        assert_frame_equal(rows, other[name], check_row_order=True)
    return one.keys() == other.keys()


def test_queries_answer_the_same_row_by_row_and_the_files_are_few(nights: Lake) -> None:
    before, files = answers(nights), named_files(read_runs(nights))
    assert merge(nights) == 6  # three files of labels, and the scores beside them
    assert same(answers(nights), before)
    runs = read_runs(nights)
    assert len(label_files(nights, runs)) == 2  # one for each classifier; a single file stays
    for row in runs.iter_rows(named=True):
        for file in (*files_of(row), *kept_files_of(row)):
            assert pl.read_parquet(Path(nights.root, file.path)).height == file.rows
    table = read_run_table(nights)
    assert len(table.files) == 1
    replaced = files - named_files(runs)
    assert set(table.replaced) == replaced
    assert all(Path(nights.root, file).exists() for file in replaced)  # for readers in flight
    assert merge(nights) == 0
    assert read_run_table(nights).files == table.files


def test_new_runs_join_what_is_compacted_and_are_compacted_with_it(nights: Lake) -> None:
    merge(nights)
    label_night(nights, {"a": "2", "c": "2", "e": "1"})
    before = answers(nights)
    assert set(before["labels"]["image_id"]) == {"a", "c", "e"}
    merge(nights)
    assert same(answers(nights), before)
    assert len(label_files(nights, read_runs(nights))) == 2


def test_a_plain_scan_reads_replaced_files_too_and_one_row_of_each_run_and_image_is_left_of_doubles(
    nights: Lake,
) -> None:
    merge(nights)
    plain = pl.scan_parquet(f"{nights.root}/labels/**/*.parquet").unique(["image_id", "run_id"])
    keys = ["run_id", "image_id"]
    rows = (
        scan_labels(nights, read_runs(nights))
        .collect()
        .sort(keys)
        .with_columns(pl.col("failure").cast(pl.String))
    )
    assert_frame_equal(plain.collect().sort(keys).with_columns(pl.col("failure").cast(pl.String)), rows)


def test_a_reader_in_flight_reads_on_while_files_are_merged(nights: Lake) -> None:
    in_flight = queries.labels(nights.root).sort("uri")
    before = answers(nights)["labels"]
    merge(nights)
    assert_frame_equal(in_flight.collect(), before)


@pytest.mark.chaos
def test_wherever_it_is_killed_queries_answer_the_same_and_the_next_one_completes_it(nights: Lake) -> None:
    before = answers(nights)
    for number in range(100):
        try:
            with before_each_change(kill_at(number)):
                merge(nights)
        except Killed:
            assert same(answers(nights), before), number
        else:
            break
    assert number > 5
    assert same(answers(nights), before)
    assert len(read_run_table(nights).files) == 1

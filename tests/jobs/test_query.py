"""``laketag query``, through the command line."""

import io
import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from laketag.jobs.query import app, parse_since
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import Lake, open_lake
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run
from tests.stores.store import Store


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    write_run(lake, 1, [label_row("a"), label_row("b", label="dog"), label_row("c", failure="timeout")])
    return lake


def ask(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", ["runs", "labels", "tags", "failures", "summary"])
def test_every_command_prints_what_the_lazy_frame_holds(lake, command):
    expected = getattr(queries, command)(lake.root).collect()
    assert ask(command, "--root", lake.root).splitlines()[-1].startswith(f"{expected.height} row")
    rows = json.loads(ask(command, "--root", lake.root, "--format", "json"))
    assert [list(row) for row in rows] == [expected.columns] * expected.height


def test_filters_sort_limit_and_columns_shape_the_answer(lake):
    options = ("--root", lake.root, "--format", "csv", "--columns", "image_id,label")
    assert ask("labels", *options, "--class", "dog") == "image_id,label\nb,dog\n"
    assert ask("labels", *options, "--sort", "-image_id", "--limit", "1") == "image_id,label\nb,dog\n"
    assert ask("labels", *options, "--min-probability", "0.9") == "image_id,label\n"
    assert ask("labels", *options, "--collection", "none") == "image_id,label\n"
    assert "timeout" in ask("failures", "--root", lake.root, "--reason", "timeout")


def test_sql_answers_over_the_tables(lake):
    query = "SELECT label, count(*) AS images FROM labels GROUP BY label ORDER BY label"
    assert ask("sql", query, "--root", lake.root, "--format", "csv") == "label,images\ncat,1\ndog,1\n"


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
def test_a_written_file_holds_every_column_and_row_on_every_store(store: Store, suffix):
    lake = open_lake(store.root, store.storage)
    write_run(lake, 1, [label_row("a"), label_row("b", label="dog")])
    url = store.url(f"out/labels.{suffix}")
    overrides = []
    if store.storage.endpoint_url:
        overrides = [
            "-o",
            f"storage.endpoint_url={store.storage.endpoint_url}",
            "-o",
            "storage.region=us-east-1",
        ]
    ask("labels", "--root", store.root, "--output", url, *overrides)
    data = io.BytesIO(store.get(f"out/labels.{suffix}"))
    read = {"csv": pl.read_csv, "json": pl.read_json, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[
        suffix
    ]
    expected = queries.labels(store.root, storage=store.storage).collect()
    found = read(data)
    assert found.columns == expected.columns
    assert found["image_id"].to_list() == ["a", "b"]
    if suffix == "csv":
        assert [json.loads(text)[0]["label"] for text in found["tags"]] == ["cat", "dog"]
    else:
        assert found["tags"].to_list() == expected["tags"].to_list()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("labels", "--sort", "age"), "--sort: no column age; choose from collection"),
        (("labels", "--columns", "label,age"), "--columns: no column age"),
        (("labels", "--since", "yesterday"), "--since 'yesterday' is not a time"),
        (("labels", "--since", "9999999999d"), "is before the year 1"),
        (("sql", "DROP TABLE labels"), "is no SELECT"),
        (("labels", "--output", "labels.xls"), "end its name in .csv"),
        (("sql", "SELECT x FROM labels"), "Tables and columns"),
        (("sql", "SELECT CAST(label AS INTEGER) FROM labels"), "the query fails on the rows"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_rule(lake, arguments, says):
    with pytest.raises((InputError, SettingsError)) as error:
        ask(*arguments, "--root", lake.root)
    assert says in str(error.value)


def test_a_root_without_any_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no finished run"):
        ask("labels", "--root", str(tmp_path / "nowhere"))


def test_since_is_a_time_in_utc_or_a_span_before_now():
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert parse_since("7d", now) == now - timedelta(days=7)
    assert parse_since("90m", now) == now - timedelta(minutes=90)
    assert parse_since("2026-11-23", now) == datetime(2026, 11, 23, tzinfo=UTC)
    assert parse_since("2026-11-23T10:00+02:00", now) == datetime(2026, 11, 23, 8, tzinfo=UTC)

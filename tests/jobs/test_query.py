"""``laketag query``, through the command line."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from laketag.jobs.cli import app
from laketag.jobs.query import parse_since
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.lake.label_rows import index_rows, label_row
from tests.lake.run_rows import write_run
from tests.lake.test_query_errors import WHILE_READING
from tests.stores.store import Store

RUN_ID = "20260101T000000.000000Z-f00d"


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    write_run(lake, 1, [label_row("a"), label_row("b", label="dog"), label_row("c", failure="timeout")])
    return lake


def ask(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["query", *arguments], catch_exceptions=False, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", queries.TABLES)
def test_every_command_prints_what_the_lazy_frame_holds(lake, command):
    expected = getattr(queries, command)(lake.root).collect()
    assert ask(command, "--root", lake.root).splitlines()[-1].startswith(f"{expected.height} row")
    rows = json.loads(ask(command, "--root", lake.root, "--format", "json"))
    assert [list(row) for row in rows] == [expected.columns] * expected.height


def test_filters_sort_limit_and_columns_shape_the_answer(lake):
    options = ("--root", lake.root, "--format", "csv", "--columns", "image_id,label")
    assert ask("labels", *options, "--label", "dog") == "image_id,label\nb,dog\n"
    assert ask("labels", *options, "--sort", "-image_id", "--limit", "1") == "image_id,label\nb,dog\n"
    assert ask("labels", *options, "--min-probability", "0.9") == "image_id,label\n"
    assert "timeout" in ask("failures", "--root", lake.root, "--failure", "timeout")


@pytest.mark.parametrize(
    ("short", "name"),
    [
        (("labels", "--class", "dog"), ("labels", "--label", "dog")),
        (("tags", "--set", "animals"), ("tags", "--description-set", "animals")),
        (("unsure", "-s", "animals"), ("unsure", "--description-set", "animals")),
        (("failures", "--reason", "timeout"), ("failures", "--failure", "timeout")),
        (("summary", "--run", RUN_ID), ("summary", "--run-id", RUN_ID)),
    ],
)
def test_every_filter_has_the_name_of_its_column_and_a_shorter_one(lake, short, name):
    assert ask(*short, "--root", lake.root) == ask(*name, "--root", lake.root)


def test_printed_rows_are_sorted_by_uri_and_written_rows_are_as_stored(lake, tmp_path):
    rows = [
        label_row(image) | {"uri": uri}
        for image, uri in (("d", "s3://b/2"), ("e", "s3://b/3"), ("f", "s3://b/1"))
    ]
    write_run(lake, 2, rows, collection="more")
    options = ("--root", lake.root, "--collection", "more", "--columns", "uri")
    assert [line.strip() for line in ask("labels", *options).splitlines()] == [
        "in s3://b/",
        "uri",
        "1",
        "2",
        "3",
        "3 rows, 1 of 28 columns (--columns all)",
    ]
    assert ask("labels", *options, "--format", "csv") == "uri\ns3://b/1\ns3://b/2\ns3://b/3\n"
    assert (
        ask("labels", *options, "--output", str(tmp_path / "o.csv"))
        == f"3 rows written to {tmp_path}/o.csv\n"
    )
    assert (tmp_path / "o.csv").read_text() == "uri\ns3://b/2\ns3://b/3\ns3://b/1\n"
    ask("labels", *options, "--output", str(tmp_path / "o.csv"), "--sort", "-uri", "-n", "1")
    assert (tmp_path / "o.csv").read_text() == "uri\ns3://b/3\n"


@pytest.mark.parametrize("output", [(), ("--output", "new.csv")])
def test_a_filter_that_names_what_does_not_exist_is_noticed_and_refused_if_strict(
    lake, output, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    arguments = ["labels", "--root", lake.root, "--class", "nonsense", *output]
    result = CliRunner().invoke(app, ["query", *arguments])
    assert (result.exit_code, result.stderr) == (
        0,
        f"{lake.root} has no class 'nonsense'; its classes: cat, dog, other\n",
    )
    assert result.stdout.startswith("0 rows")
    Path("new.csv").unlink(missing_ok=True)
    with pytest.raises(InputError, match="has no class 'nonsense'; its classes: cat, dog, other"):
        ask(*arguments, "--strict")
    assert not Path("new.csv").exists()


def test_the_status_is_printed_if_an_image_is_not_current_and_sql_has_removed_ones_on_request(lake):
    options, sql = ("--root", lake.root), "SELECT count(*) AS images FROM labels"
    assert "status" not in ask("labels", *options)
    assert "stale" not in ask("summary", *options)
    write_snapshot(lake, "photos", [index_rows("b", etag="v2")])
    assert "stale" in ask("labels", *options)
    assert "stale" in ask("summary", *options)
    assert "removed" in ask("labels", *options, "--also-removed")
    assert ask("sql", sql, *options, "--format", "csv") == "images\n1\n"
    assert ask("sql", sql, *options, "--format", "csv", "--also-removed") == "images\n2\n"


def test_the_label_is_not_repeated_among_the_tags_beside_it(lake):
    assert "other tags" in ask("labels", "--root", lake.root)
    assert "cat 0.75" not in ask("labels", "--root", lake.root)
    assert "cat 0.75, other 0.25" in ask("labels", "--root", lake.root, "--columns", "uri,tags")


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
        (("labels", "--sort", "age"), "--sort: no column age; choose from uri"),
        (("labels", "--columns", "label,age"), "--columns: no column age"),
        (("labels", "--since", "yesterday"), "--since 'yesterday' is not a time"),
        (("labels", "--since", "9999999999d"), "is before the year 1"),
        (("sql", "DROP TABLE labels"), "is no SELECT"),
        (("labels", "--output", "labels.xls"), "end its name in .csv"),
        (("sql", "SELECT x FROM labels"), "Tables and columns"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_rule(lake, arguments, says):
    with pytest.raises((InputError, SettingsError)) as error:
        ask(*arguments, "--root", lake.root)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "output", [(), ("--format", "json"), *(("--output", f"new.{x}") for x in ("csv", "json", "parquet"))]
)
@pytest.mark.parametrize(("query", "says"), WHILE_READING)
def test_wrong_sql_is_one_sentence_and_no_file(lake, query, says, output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        ask("sql", query, "--root", lake.root, *output)
    assert str(error.value).startswith(f"SQL, {says}")
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_since_is_a_time_in_utc_or_a_span_before_now():
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert parse_since("7d", now) == now - timedelta(days=7)
    assert parse_since("90m", now) == now - timedelta(minutes=90)
    assert parse_since("2026-11-23", now) == datetime(2026, 11, 23, tzinfo=UTC)
    assert parse_since("2026-11-23T10:00+02:00", now) == datetime(2026, 11, 23, 8, tzinfo=UTC)

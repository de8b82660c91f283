"""Errors that come while rows are read, in words; ``tests/lake/test_sql.py`` has those that come before."""

import re
from pathlib import Path

import pytest

from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.query_errors import query_errors
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.sql import sql
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run
from tests.stores.store import Store

WHILE_READING = (
    ("SELECT * FROM labels WHERE probability > '0.5'", "line 1, column 28 (probability): cannot compare string"),
    ("SELECT * FROM labels WHERE uri > 5", "line 1, column 28 (uri): cannot compare string"),
    ("SELECT uri FROM labels WHERE uri > 5", "line 1, column 30 (uri): cannot compare string"),
    ("SELECT * FROM labels WHERE uri ~ '['", "line 1, column 34 ([): the regular expression '[' is wrong, unclosed"),
    ("SELECT REGEXP_LIKE(uri, 'a(') FROM labels", "line 1, column 25 (a(): the regular expression 'a(' is wrong"),
    ("SELECT DATE(uri) FROM labels", "line 1, column 8 (DATE): a text cannot be read as a date"),
    ("SELECT uri::timestamp FROM labels", "line 1, column 13 (timestamp): a text cannot be read as a date"),
    ("SELECT uri, (SELECT uri FROM labels) FROM labels", "line 1, column 14 (SELECT): a subquery gives 2 rows where"),
    ("SELECT CAST(label AS INTEGER) FROM labels", "line 1, column 13 (label): conversion from `str` to `i32` failed"),
    ("SELECT SIN(label) FROM labels", "line 1, column 12 (label): trigonometry operation not supported for dtype `str`"),
    ("SELECT UPPER(probability) FROM labels", "line 1, column 14 (probability): invalid series dtype"),
)  # fmt: skip
"""SQL whose mistake polars sees only when it reads rows, and what is said."""


@pytest.mark.parametrize(("query", "says"), WHILE_READING)
def test_a_mistake_that_shows_on_the_rows_is_one_sentence_with_its_place(lake, query, says):
    write_run(lake, 1, [label_row("a"), label_row("b")])
    frame = sql(lake.root, query)
    with pytest.raises(InputError) as error, query_errors(lake.root, query):
        frame.collect(engine="streaming")
    assert str(error.value).startswith(f"SQL, {says}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_gone_is_an_error_of_the_store_that_names_it(lake):
    write_run(lake, 1, [label_row("a")])
    query = "SELECT uri FROM labels"
    frame = sql(lake.root, query)
    (file,) = Path(lake.root, "labels").rglob("*.parquet")
    file.unlink()
    with (
        pytest.raises(StorageError, match=f"^{lake.root} .*{file.name}.: does not exist"),
        query_errors(lake.root, query),
    ):
        frame.collect(engine="streaming")


def test_mistakes_and_faults_of_a_store_are_told_apart(bucket: Store, once):
    lake = open_lake(bucket.root, bucket.storage)
    write_run(lake, 1, [label_row("a"), label_row("b")])
    query, says = WHILE_READING[0]
    frame = sql(lake.root, query, storage=bucket.storage)
    with pytest.raises(InputError, match=re.escape(f"SQL, {says}")), query_errors(lake.root, query):
        frame.collect(engine="streaming")
    query = "SELECT uri FROM labels"
    frame = sql(lake.root, query, storage=bucket.storage)
    bucket.delete(read_runs(lake)["files"][0][0])
    with pytest.raises(StorageError, match=f"^{lake.root}.*: does not exist"), query_errors(lake.root, query):
        frame.collect(engine="streaming")

"""Results as files and text; ``tests/jobs/test_query.py`` reads every format back, on every store."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.query_errors import query_errors
from laketag.pipeline.lake.query_results import as_text, flatten, write_result

SUFFIXES = ["csv", "json", "ndjson", "parquet"]
READ = {"csv": pl.read_csv, "json": pl.read_json, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}
BATCHES = 200_000
"""Rows that are written in several batches."""


def write(rows: pl.LazyFrame, file: Path) -> int:
    return write_result(rows, str(file), StorageSettings(), partial(query_errors, "/lake"))


def test_nested_values_become_json_and_null_stays_null() -> None:
    values = [[{"label": 'a "b"}', "probability": 0.5}], [], None]
    frame = pl.LazyFrame({'t"x': values, "s": [{"v": 1}, {"v": None}, None], "n": [1, 2, 3]})
    assert flatten(frame).collect().rows() == [
        ('[{"label":"a \\"b\\"}","probability":0.5}]', '{"v":1}', 1),
        ("[]", '{"v":null}', 2),
        (None, None, 3),
    ]


def test_text_is_one_array_or_one_object_per_line() -> None:
    rows = pl.DataFrame({"tags": [["a", "b"], []]})
    assert as_text(rows, "csv") == 'tags\n"[""a"",""b""]"\n[]\n'
    assert as_text(rows, "json") == '[{"tags":["a","b"]},{"tags":[]}]\n'
    assert as_text(rows, "ndjson") == '{"tags":["a","b"]}\n{"tags":[]}\n'


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("count", [0, 1, BATCHES])
def test_a_file_holds_all_rows_in_their_order_and_their_number_is_returned(tmp_path, suffix, count) -> None:
    rows = pl.DataFrame(
        {"n": range(count), "text": ["ü,\n\"'"] * count}, schema={"n": pl.Int64, "text": pl.String}
    )
    assert write(rows.lazy(), tmp_path / f"rows.{suffix}") == count
    if count or suffix in ("csv", "parquet"):  # without rows the others have no columns
        assert READ[suffix](tmp_path / f"rows.{suffix}").equals(rows, null_equal=True) or not count


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_query_that_fails_on_a_late_row_leaves_the_old_file_and_no_new_one(tmp_path, suffix) -> None:
    file = tmp_path / f"rows.{suffix}"
    write(pl.LazyFrame({"n": ["1"]}), file)
    old = file.read_bytes()
    failing = pl.LazyFrame({"n": ["1"] * BATCHES + ["one"]}).select(pl.col("n").cast(pl.Int64))
    for target in (file, tmp_path / f"new.{suffix}"):
        with pytest.raises(
            InputError, match="the query of /lake fails: conversion from `str` to `i64` failed"
        ):
            write(failing, target)
    assert file.read_bytes() == old
    assert list(tmp_path.iterdir()) == [file]


FULL = """
import functools, polars as pl, resource, signal, sys
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.query_errors import query_errors
from laketag.pipeline.lake.query_results import write_result
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
rows = pl.LazyFrame({"n": range(200_000)}).select(pl.col("n").hash())
for url in sys.argv[1:]:
    try:
        write_result(rows, url, StorageSettings(), functools.partial(query_errors, "/lake"))
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_disk_that_is_full_in_the_middle_leaves_the_old_file(tmp_path) -> None:
    files = [tmp_path / f"rows.{suffix}" for suffix in SUFFIXES]
    for file in files:
        file.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, *map(str, files)], capture_output=True, text=True, check=True
    )
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [
        f"StorageError {file}" for file in files
    ]
    assert [file.read_text() for file in files] == ["old"] * len(files)
    assert sorted(tmp_path.iterdir()) == sorted(files)

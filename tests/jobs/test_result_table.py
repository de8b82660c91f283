"""How rows are fitted to a terminal."""

import io

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from laketag.jobs.result_table import Columns, print_rows
from laketag.jobs.shown_values import show_value


def printed(rows: pl.DataFrame, width: int, columns: list[str] | None = None, more=()) -> str:
    sink = io.StringIO()
    print_rows(rows, rows.height, Console(file=sink, width=width), Columns(columns or rows.columns, more))
    return sink.getvalue()


@given(
    columns=st.dictionaries(
        st.text("abcdef", min_size=1, max_size=12),
        st.one_of(st.text("x 写é\u0301", max_size=100), st.floats(-1e9, 1e9), st.datetimes()),
        min_size=1,
        max_size=8,
    ),
    width=st.integers(40, 200),
)
def test_every_line_fits_and_numbers_and_times_are_never_cut(columns, width):
    rows = pl.DataFrame({name: [value] for name, value in columns.items()})
    output = printed(rows, width)
    assert max(map(cell_len, output.splitlines())) <= width
    uncut = [show_value(value) for value in columns.values() if not isinstance(value, str)]
    assert all(text in output for text in uncut)


def test_long_text_is_cut_and_markup_is_text():
    rows = pl.DataFrame({"uri": ["s3://bucket/" + "x" * 100], "label": ["[red]cat[/]"], "probability": [0.5]})
    output = printed(rows, 60)
    assert max(map(cell_len, output.splitlines())) <= 60
    assert "[red]cat[/]" in output
    assert "1 row" in output


def test_more_columns_than_fit_are_printed_below_each_other():
    rows = pl.DataFrame({f"column_{number}": ["some text"] for number in range(12)})
    output = printed(rows, 60)
    assert all(f"column_{number}" in output for number in range(12))
    assert output.count("some text") == 12


def test_rows_and_columns_that_are_left_out_are_counted():
    rows = pl.DataFrame({"a": [1], "b": [2]})
    sink = io.StringIO()
    print_rows(rows, 1234, Console(file=sink, width=100), Columns(["a"]))
    assert "1 of 1,234 rows (--limit 1234 shows all), 1 of 2 columns" in sink.getvalue()


LONG = "s3://company-images-eu-central-1/raw/customers/acme/2024/07"


def test_the_folder_of_all_uris_is_printed_once_and_whole():
    rows = pl.DataFrame({"uri": [f"{LONG}/a.jpg", f"{LONG}/b/c.jpg"], "examples": [[f"{LONG}/d.jpg"], []]})
    lines = [line.rstrip() for line in printed(rows, 40).splitlines()]
    assert lines == [f"in {LONG}/", "uri      examples", "a.jpg    d.jpg", "b/c.jpg  –", "2 rows"]
    of_one_table = pl.DataFrame({"uri": ["/t.parquet#column=image&row=0", "/t.parquet#column=image&row=1"]})
    assert printed(of_one_table, 80).split()[:4] == ["in", "/t.parquet#", "uri", "column=image&row=0"]
    assert not printed(pl.DataFrame({"uri": ["s3://a/x.jpg", "s3://b/x.jpg"]}), 80).startswith("in")


def test_more_columns_are_shown_where_they_leave_room_and_are_not_empty():
    rows = pl.DataFrame({"uri": ["a" * 40], "true_class": ["cat"], "evidence": ["e" * 40], "empty": [None]})
    wide = printed(rows, 100, ["uri"], more=("evidence", "true_class", "empty"))
    assert wide.split()[:3] == ["uri", "true_class", "evidence"]  # in the order of the rows
    assert printed(rows, 60, ["uri"], more=("evidence", "true_class")).split()[:2] == ["uri", "true_class"]
    assert printed(rows, 40, ["uri"], more=("evidence", "true_class")).split()[1] == "a" * 40


def test_ids_of_runs_are_never_cut():
    rows = pl.DataFrame({"collection": ["c" * 60], "run_id": ["20260101T000000.000000Z-f00d"]})
    assert "20260101T000000.000000Z-f00d" in printed(rows, 40)

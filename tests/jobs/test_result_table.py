"""How rows are fitted to a terminal."""

import io
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from laketag.jobs.result_table import print_rows, shorten, show_value


def printed(rows: pl.DataFrame, width: int, columns: list[str] | None = None) -> str:
    sink = io.StringIO()
    print_rows(rows, rows.height, Console(file=sink, width=width), columns or rows.columns)
    return sink.getvalue()


@given(
    columns=st.dictionaries(
        st.text("abcdef", min_size=1, max_size=12),
        st.one_of(st.text("x ", max_size=100), st.floats(-1e9, 1e9), st.datetimes()),
        min_size=1,
        max_size=8,
    ),
    width=st.integers(40, 200),
)
def test_every_line_fits_and_numbers_and_times_are_never_cut(columns, width):
    rows = pl.DataFrame({name: [value] for name, value in columns.items()})
    output = printed(rows, width)
    assert max(map(len, output.splitlines())) <= width
    uncut = [show_value(value) for value in columns.values() if not isinstance(value, str)]
    assert all(text in output for text in uncut)


def test_long_uris_keep_both_ends():
    assert shorten("s3://bucket/folder/image-1.jpg", 16, True) == "s3://…mage-1.jpg"
    assert shorten("a long sentence", 8, False) == "a long …"
    assert shorten("short", 5, True) == "short"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (7, "7"),
        (None, "–"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02 03:04:05"),
        ([{"label": "cat", "probability": 0.75}, {"label": "dog", "probability": 0.2}], "cat 0.75, dog 0.20"),
        ([{"reason": "timeout", "images": 1200}], "timeout 1,200"),
        ([], "–"),
        ({"x0_px": 1, "y0_px": 2, "x1_px": 3, "y1_px": 4, "description": "a cat"}, "a cat [1,2 to 3,4]"),
        ("two\nlines", "two lines"),
    ],
)
def test_values_are_shown_in_one_short_line(value, text):
    assert show_value(value) == text


def test_long_text_is_cut_and_markup_is_text():
    rows = pl.DataFrame({"uri": ["s3://bucket/" + "x" * 100], "label": ["[red]cat[/]"], "probability": [0.5]})
    output = printed(rows, 60)
    assert max(map(len, output.splitlines())) <= 60
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
    print_rows(rows, 1234, Console(file=sink, width=100), ["a"])
    assert "1 of 1,234 rows (--limit 1234 shows all), 1 of 2 columns" in sink.getvalue()

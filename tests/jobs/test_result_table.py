"""How rows are fitted to a terminal."""

import io
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from laketag.jobs.result_table import GAP, NARROWEST, fit_widths, print_rows, shorten, show_value


def printed(rows: pl.DataFrame, width: int, columns: list[str] | None = None) -> str:
    sink = io.StringIO()
    print_rows(rows, rows.height, Console(file=sink, width=width), columns or rows.columns)
    return sink.getvalue()


@given(
    natural=st.dictionaries(
        st.text("abcdef", min_size=1, max_size=12), st.integers(1, 200), min_size=1, max_size=8
    ),
    available=st.integers(10, 300),
    data=st.data(),
)
def test_widths_fit_whenever_they_can_and_never_grow(natural, available, data):
    stiff = set(data.draw(st.lists(st.sampled_from(sorted(natural)))))
    smallest = sum(width if name in stiff else min(width, NARROWEST) for name, width in natural.items())
    widths = fit_widths(natural, stiff, available)
    assert bool(widths) == (smallest + GAP * len(natural) <= available)
    if widths:
        assert sum(widths.values()) + GAP * len(natural) <= available
        assert all(widths[name] <= width for name, width in natural.items())
        assert all(widths[name] == natural[name] for name in stiff)


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


def test_no_line_is_wider_than_the_terminal_and_markup_is_text():
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


def test_what_is_left_out_is_said():
    rows = pl.DataFrame({"a": [1], "b": [2]})
    sink = io.StringIO()
    print_rows(rows, 1234, Console(file=sink, width=100), ["a"])
    assert "1 of 1,234 rows (--limit 1234 shows all), 1 of 2 columns" in sink.getvalue()

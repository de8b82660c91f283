"""Values as short text."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from laketag.jobs.shown_values import common_folder, shorten, show_value


def test_long_uris_keep_both_ends():
    assert shorten("s3://bucket/folder/image-1.jpg", 16, True) == "s3://…mage-1.jpg"
    assert shorten("a long sentence", 8, False) == "a long …"
    assert shorten("short", 5, True) == "short"
    assert shorten("家族旅行の写真.jpg", 9, True) == "家…真.jpg"


@given(st.text("a写é\u0301", max_size=40), st.integers(1, 40), st.booleans())
def test_no_text_is_wider_than_its_place(text, width, in_the_middle):
    short = shorten(text, width, in_the_middle)
    assert cell_len(short) <= width
    assert ("…" in short) == (cell_len(text) > width)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (7, "7"),
        (None, "–"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02 03:04:05"),
        ([{"label": "cat", "probability": 0.75}, {"label": "dog", "probability": 0.2}], "cat 0.75, dog 0.20"),
        ([{"reason": "timeout", "images": 1200}], "timeout 1,200"),
        (
            [{"stage": "label", "images": 9, "images_per_s": 13.1, "busy_fraction": 0.94}],
            "label 13.100/s busy 94%",
        ),
        ([{"actor": "n/7", "images_per_s": None, "busy_fraction": 0.0}], "n/7 –/s busy 0%"),
        ([], "–"),
        ({"x0_px": 1, "y0_px": 2, "x1_px": 3, "y1_px": 4, "description": "a cat"}, "a cat [1,2 to 3,4]"),
        ("two\nlines", "two lines"),
        ("a  b", "a  b"),
        ("\x1b[31mred\r \u202etxt.exe", "\\x1b[31mred\\r \\u202etxt.exe"),
        ("👩\u200d👧 é", "👩\u200d👧 é"),
    ],
)
def test_values_are_shown_in_one_short_line(value, text):
    assert show_value(value) == text


@pytest.mark.parametrize(
    ("uris", "folder"),
    [
        (["s3://b/x/1.jpg", "s3://b/x/2.jpg"], "s3://b/x/"),
        (["s3://b/x/1.jpg"], "s3://b/x/"),
        (["s3://b/x/1.jpg", "s3://c/1.jpg"], ""),
        (["/a/1.jpg", "/b/1.jpg"], ""),
        (["/a/t.parquet#column=i&row=1", "/a/t.parquet#column=i&row=2"], "/a/t.parquet#"),
        ([], ""),
    ],
)
def test_the_common_folder_ends_with_a_slash_or_a_table(uris, folder):
    assert common_folder(uris) == folder

from datetime import UTC, datetime, timedelta

import pytest

from laketag.pipeline.pages.wording import (
    UNKNOWN,
    count,
    duration,
    figure,
    moment,
    percent,
    shorten,
    size,
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (count(1234567), "1,234,567"),
        (percent(0.256), "26%"),
        (percent(0.2567, 1), "25.7%"),
        (figure(1234.5), "1,234"),
        (figure(12.34), "12.3"),
        (figure(1.234), "1.23"),
        (figure(0.01234), "0.012"),
        (figure(0.0), "0"),
        (size(999), "999 B"),
        (size(1_500_000), "1.50 MB"),
        (size(2e15), "2,000 TB"),
        (moment(datetime(2026, 1, 2, 3, 4, 59, tzinfo=UTC)), "2026-01-02 03:04"),
        (duration(timedelta(minutes=61)), "1 h 01 min"),
        *((write(None), UNKNOWN) for write in (count, percent, figure, size, moment, duration)),
    ],
)
def test_numbers_are_written_for_people(written: str, expected: str) -> None:
    assert written == expected


def test_a_long_text_loses_its_middle_and_a_short_one_nothing() -> None:
    assert shorten("abc", 3) == "abc"
    long = shorten("a" * 10_000 + "z" * 10_000, 40)
    assert long.startswith("a" * 20)
    assert long.endswith("z" * 20)
    assert len(long) < 50

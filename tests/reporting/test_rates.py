from datetime import timedelta

import pytest

from laketag.pipeline.reporting.rates import rate_over_time
from tests.lake.label_rows import EPOCH, label_row
from tests.reporting.made_rows import as_frame


def test_rates_and_the_widths_of_their_steps_add_up_to_all_images() -> None:
    times_s = [0, 0, 1, 5, 5, 5, 60, 99, 100]
    rows = [
        label_row(str(number), age_s=-time) | {"true_class": None, "status": ""}
        for number, time in enumerate(times_s)
    ]
    found = rate_over_time(as_frame(rows), steps=10)
    assert [time for time, _ in found] == [EPOCH + timedelta(seconds=10 * step) for step in range(10)]
    assert [rate * 10 for _, rate in found] == pytest.approx([6, 0, 0, 0, 0, 0, 1, 0, 0, 2])


def test_rows_of_one_moment_and_no_rows_have_no_course() -> None:
    one = label_row("a") | {"true_class": None, "status": ""}
    assert rate_over_time(as_frame([one])) == []
    assert rate_over_time(as_frame([])) == []

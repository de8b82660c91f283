from datetime import timedelta

import polars as pl
import pytest

from laketag.pipeline.reporting.charts import (
    BOTTOM,
    TOP,
    attention_cells,
    histogram,
    ledger_parts,
    rate_chart,
    reliability,
    round_step,
)
from tests.lake.label_rows import EPOCH

BINS = pl.DataFrame(
    {"bin": [10, 19], "images": [4, 8], "mean_probability": [0.5, 0.99], "known": [4, 8], "right": [1, 8]}
)


@pytest.mark.parametrize("highest", [0.0123, 0.9, 1, 1.9, 4.99, 5, 6.1, 9.99, 10, 73, 1234.5])
def test_the_lines_of_a_chart_are_few_and_at_round_numbers(highest: float) -> None:
    assert 2 <= highest / round_step(highest) <= 5
    assert f"{round_step(highest):.0e}"[0] in "125"


def test_a_chart_of_speed_stays_in_its_frame_and_touches_its_top() -> None:
    chart = rate_chart([(EPOCH + timedelta(seconds=number), rate) for number, rate in enumerate((0, 4.0, 2))])
    assert chart is not None
    heights = [float(corner.split(" ")[1]) for corner in chart["line"][1:].split("L")]
    assert (min(heights), max(heights)) == (TOP, BOTTOM)
    assert chart["words"].endswith("2.0 on average, at most 4.0")
    assert rate_chart([]) is None


def test_wrong_labels_are_a_part_of_their_bar() -> None:
    bars = histogram(BINS)
    assert [(bar["kind"], bar["height"]) for bar in bars] == [("all", 70), ("wrong-part", 52.5), ("all", 140)]
    assert "3 of 4 wrong" in bars[1]["words"]


def test_a_dot_is_at_its_probability_and_its_share_of_right_labels() -> None:
    low, high = reliability(BINS)
    assert (low["x"], low["y"]) == (40 + 430 * 0.5, 160 - 150 * 0.25)
    assert high["y"] == 10
    assert low["r"] < high["r"]


def test_the_parts_of_the_ledger_follow_each_other_and_fill_the_bar() -> None:
    parts = ledger_parts({"one": ("a", 1), "two": ("b", 0), "three": ("c", 3)})
    assert [(part["start"], part["width"]) for part in parts] == [(0, 25), (25, 0), (25, 75)]
    assert ledger_parts({"none": ("a", 0)})[0]["width"] == 0


def test_attention_lies_over_the_part_of_the_image_that_was_seen() -> None:
    cells = attention_cells([[0, 2], [1, 0.1]], (10, 0, 30, 40))
    assert cells == [
        {"x": 20, "y": 0, "width": 10, "height": 20, "opacity": 1},
        {"x": 10, "y": 20, "width": 10, "height": 20, "opacity": 0.5},
    ]

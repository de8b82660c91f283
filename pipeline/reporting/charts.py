"""The geometry of charts, in the units of the SVG elements that the template draws them in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from laketag.pipeline.reporting.counts import BINS

LEFT, RIGHT, TOP, BOTTOM = 44.0, 476.0, 10.0, 118.0
"""The frame of the chart of speed."""
FAINT = 0.08
"""Cells of an attention map that are less than this share of the brightest are not drawn."""


def rate_chart(points: Sequence[tuple[datetime, float]]) -> dict[str, Any] | None:
    """A line of images/s over time as steps, with its area, lines at round numbers, and a sentence; None without points."""
    if not points:
        return None
    highest = max(rate for _, rate in points) or 1.0
    step = round_step(highest)
    width = (RIGHT - LEFT) / len(points)

    def up(rate: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * rate / highest, 1)

    corners = [
        f"{round(LEFT + width * (number + side), 1)} {up(rate)}"
        for number, (_, rate) in enumerate(points)
        for side in (0, 1)
    ]
    line = "M" + "L".join(corners)
    mean = sum(rate for _, rate in points) / len(points)
    return {
        "line": line,
        "area": f"{line}L{RIGHT} {BOTTOM}L{LEFT} {BOTTOM}Z",
        "lines": [
            {"y": up(step * number), "value": step * number} for number in range(int(highest / step) + 1)
        ],
        "first": f"{points[0][0]:%H:%M:%S}",
        "last": f"{points[-1][0]:%H:%M:%S}",
        "words": f"Images a second over time: {mean:,.1f} on average, at most {highest:,.1f}",
    }


def round_step(highest: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, of which two to five fit below the highest value."""
    power = 10.0 ** np.floor(np.log10(highest))
    return float(next(power * part for part in (0.2, 0.5, 1, 2) if highest / (power * part) <= 5))


def histogram(probabilities: pl.DataFrame) -> list[dict[str, Any]]:
    """Bars of Counts.probabilities; the part with a wrong label is drawn over the bar of all."""
    highest = max(probabilities["images"].to_list(), default=1)
    bars = []
    for number, images, known, right in probabilities.select("bin", "images", "known", "right").iter_rows():
        low, high = number / BINS, (number + 1) / BINS
        words = f"{images:,} labels with a probability from {low:.0%} to {high:.0%}"
        parts = [("all", images, words)]
        if known > right:
            parts.append(("wrong-part", known - right, f"{words}; {known - right:,} of {known:,} wrong"))
        for kind, part, said in parts:
            height = round(140 * part / highest, 1)
            bars.append(
                {
                    "kind": kind,
                    "x": 10 + 460 * low,
                    "width": 460 / BINS - 2,
                    "height": height,
                    "y": 148 - height,
                    "words": said,
                }
            )
    return bars


def reliability(probabilities: pl.DataFrame) -> list[dict[str, Any]]:
    """A dot for each bin that has images with a true class: mean probability across, share of right labels up."""
    dots = []
    most = max(probabilities["known"].to_list(), default=0)
    columns = probabilities.select("mean_probability", "known", "right")
    for mean, known, right in columns.iter_rows():
        if known:
            share = right / known
            dots.append(
                {
                    "x": round(40 + 430 * mean, 1),
                    "y": round(160 - 150 * share, 1),
                    "r": round(3 + 7 * (known / most) ** 0.5, 1),
                    "words": f"{known:,} labels of {mean:.0%} on average: {share:.0%} right",
                }
            )
    return dots


def ledger_parts(outcomes: Mapping[str, tuple[str, int]]) -> list[dict[str, Any]]:
    """The parts of a bar 100 units long: name → (kind, images)."""
    total = sum(images for _, images in outcomes.values())
    parts, start = [], 0.0
    for name, (kind, images) in outcomes.items():
        share = images / total if total else 0.0
        parts.append(
            {
                "name": name,
                "kind": f"k-{kind}",
                "images": images,
                "share": share,
                "start": round(start, 3),
                "width": round(100 * share, 3),
            }
        )
        start += 100 * share
    return parts


def attention_cells(
    attention: Sequence[Sequence[float]], box: tuple[float, float, float, float]
) -> list[dict[str, Any]]:
    """The cells of an attention map over a box (x0, y0, x1, y1), with the share of the brightest as opacity."""
    grid = np.asarray(attention, dtype=np.float64)
    shares = grid / (grid.max() or 1.0)
    x0, y0, x1, y1 = box
    height, width = (y1 - y0) / grid.shape[0], (x1 - x0) / grid.shape[1]
    return [
        {
            "x": round(x0 + column * width, 1),
            "y": round(y0 + row * height, 1),
            "width": round(width, 1),
            "height": round(height, 1),
            "opacity": round(float(shares[row, column]), 2),
        }
        for row, column in zip(*np.nonzero(shares >= FAINT), strict=True)
    ]

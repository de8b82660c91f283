"""How fast a run went, from the times of its rows."""

from datetime import datetime, timedelta

import polars as pl

STEPS = 48
"""Most points of the chart."""


def rate_over_time(rows: pl.LazyFrame, steps: int = STEPS) -> list[tuple[datetime, float]]:
    """Images a second in equal steps from the first row of a run to its last one, each with the time at which it begins.

    The rows are those of one run (schemas.Labels). Empty if they have one time only. A step has at least a second, and a run
    that was interrupted has steps without images.
    """
    time = pl.col("labelled_at")
    first, last = rows.select(first=time.min(), last=time.max()).collect(engine="streaming").row(0)
    if first is None or first == last:
        return []
    width_s = max(1.0, (last - first).total_seconds() / steps)
    step = ((time - first).dt.total_microseconds() / 1e6 / width_s).floor().cast(pl.Int32)
    counted = rows.group_by(step=step.clip(0, steps - 1)).agg(images=pl.len()).collect(engine="streaming")
    images = dict(counted.iter_rows())
    return [
        (first + timedelta(seconds=width_s * number), images.get(number, 0) / width_s)
        for number in range(max(images) + 1)
    ]

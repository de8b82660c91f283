"""Ranges of image ids: what a run does with all of its rows, it does with one range after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class IdRange:
    """Images of a plan whose ids follow each other."""

    plan: pl.DataFrame
    """Their rows of the plan, sorted by image_id."""
    holds: pl.Expr
    """Whether the image of a row is one of theirs, or an id beside the plan that is next to theirs."""


def split_plan(plan: pl.DataFrame, rows: int) -> Iterator[IdRange]:
    """Ranges of that many rows of the plan, which is sorted by image_id; together they hold every possible id once."""
    first, after = pl.lit(value=True), pl.lit(value=True)
    for start in range(0, max(1, plan.height), rows):
        part = plan.slice(start, rows)
        if start:
            first = pl.col("image_id") >= pl.lit(part["image_id"][0])
        is_last = start + rows >= plan.height
        after = pl.lit(value=True) if is_last else pl.col("image_id") < pl.lit(plan["image_id"][start + rows])
        yield IdRange(part, first & after)

"""How labels differ from earlier ones of the same images."""

from dataclasses import dataclass

import polars as pl

from laketag.pipeline.reporting.choices import Limits, choose_first
from laketag.schemas import NONE_OF_THESE

BEFORE = ("label", "probability", "failure", "etag")


@dataclass(frozen=True)
class Changes:
    """What became of the images that both tables have."""

    images: int
    same: int
    """With the same label as before."""
    gained: int
    """With a label now, and a failure before."""
    lost: int
    both_failed: int
    new_version: int
    """Whose content has changed since."""
    known: int
    """With a class as label in both, and a true class."""
    right_before: int
    right_now: int
    moves: pl.DataFrame
    """before, now, images: of the images with another label than before, the most frequent first."""
    examples: dict[tuple[str, str], list[str]]
    """Of the most frequent moves, the images that have the most probability now."""

    @property
    def moved(self) -> int:
        """Images with another label than before."""
        return int(self.moves["images"].sum())


def compare_labels(rows: pl.LazyFrame, before: pl.LazyFrame, limits: Limits) -> Changes:
    """The changes of the rows (schemas.Labels with ``true_class``) since the rows before (schemas.Labels)."""
    earlier = before.select("image_id", *(pl.col(name).alias(f"{name}_before") for name in BEFORE))
    both = rows.select("image_id", "true_class", *BEFORE).join(earlier, on="image_id")
    now, then = pl.col("label"), pl.col("label_before")
    is_labelled = now.is_not_null() & then.is_not_null()
    is_none = (now == NONE_OF_THESE) | (then == NONE_OF_THESE)
    is_known = is_labelled & ~is_none & pl.col("true_class").is_not_null()
    moved = both.filter(is_labelled & (now != then))
    totals, moves = pl.collect_all(
        [
            both.select(
                images=pl.len(),
                same=(now == then).sum(),
                gained=(now.is_not_null() & then.is_null()).sum(),
                lost=(now.is_null() & then.is_not_null()).sum(),
                both_failed=(now.is_null() & then.is_null()).sum(),
                new_version=(pl.col("etag") != pl.col("etag_before")).sum(),
                known=is_known.sum(),
                right_before=(is_known & (then == pl.col("true_class"))).sum(),
                right_now=(is_known & (now == pl.col("true_class"))).sum(),
            ),
            moved.group_by(before="label_before", now="label").agg(images=pl.len()),
        ],
        engine="streaming",
    )
    moves = moves.sort("images", "before", "now", descending=[True, False, False])
    shown = moves.head(limits.changes).lazy()
    of_moves = moved.rename({"label": "now", "label_before": "before"}).join(
        shown, on=["before", "now"], how="semi"
    )
    examples = choose_first(
        of_moves, ["before", "now"], -pl.col("probability"), limits.of_a_change, limits.rows_of_a_batch
    )
    ordered = {
        (one, two): examples[one, two]
        for one, two in moves.head(limits.changes).select("before", "now").rows()
    }
    return Changes(**totals.row(0, named=True), moves=moves, examples=ordered)

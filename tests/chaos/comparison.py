"""The table of a disturbed run beside that of an undisturbed one: rows that were lost, doubled or differ."""

from dataclasses import dataclass, field

import polars as pl

from laketag.schemas import PERMANENT_FAILURES, TRANSIENT_FAILURES
from tests.end_to_end.lakes import EXACT

SCORES = ("probability", "score", "margin")
SAME = 1e-5
"""Batches of other images round the same scores differently."""


@dataclass(frozen=True)
class Comparison:
    """Image ids whose rows were lost, exist twice or differ, and what else does not add up."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether a disturbed run left what an undisturbed one leaves."""
        return not (self.lost or self.doubled or self.different or self.unbalanced)


def current_rows(rows: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Each image's row of the run that finished last, by image id."""
    ages = runs.sort("finished_at").select("run_id").with_row_index("age")
    return (
        rows.join(ages, on="run_id")
        .sort("image_id", "age")
        .unique("image_id", keep="last", maintain_order=True)
    )


def transient_rows(current: pl.DataFrame) -> int:
    """How many images have no label for a reason that passes: the same command tries them again."""
    return current.filter(pl.col("failure").cast(pl.String).is_in(TRANSIENT_FAILURES)).height


def compare(rows: pl.DataFrame, runs: pl.DataFrame, undisturbed: pl.DataFrame) -> Comparison:
    """Compare all published rows of a lake, and its runs, with the table of the same images that nothing disturbed."""
    ours = current_rows(rows, runs)
    done = rows.filter(
        pl.col("label").is_not_null() | pl.col("failure").cast(pl.String).is_in(PERMANENT_FAILURES)
    )
    twice = pl.concat(
        [
            rows.group_by("image_id", "run_id").len().filter(pl.col("len") > 1).select("image_id"),
            done.group_by("image_id").len().filter(pl.col("len") > 1).select("image_id"),
        ]
    )
    both = undisturbed.join(ours, on="image_id", suffix="_ours", maintain_order="left")
    return Comparison(
        lost=undisturbed.join(ours, on="image_id", how="anti")["image_id"].sort().to_list(),
        doubled=twice["image_id"].unique().sort().to_list(),
        different=[
            *both.filter(~_is_same())["image_id"].sort(),
            *ours.join(undisturbed, on="image_id", how="anti")["image_id"].sort(),
        ],
        unbalanced=_unbalanced(rows, runs),
    )


def _is_same() -> pl.Expr:
    """Whether a row has the same label, failure, evidence and tags as its ``_ours``, and scores that differ by rounding only."""
    exact = [pl.col(name).eq_missing(pl.col(f"{name}_ours")) for name in (*EXACT[1:], "evidence")]
    size = pl.max_horizontal(pl.col("score").abs().fill_null(0), 1.0)
    close = [
        pl.col(name).is_null().eq(pl.col(f"{name}_ours").is_null())
        & ((pl.col(name) - pl.col(f"{name}_ours")).abs().fill_null(0) <= SAME * size)
        for name in SCORES
    ]
    tags = [pl.col(name).list.eval(pl.element().struct.field("label")) for name in ("tags", "tags_ours")]
    return pl.all_horizontal(*exact, *close, tags[0].eq_missing(tags[1]))


def _unbalanced(rows: pl.DataFrame, runs: pl.DataFrame) -> list[str]:
    """Runs whose row counts other images than it published; and rows of runs that were never committed."""
    counted = rows.group_by("run_id").agg(
        rows=pl.len(), labels=pl.col("label").is_not_null().sum(), strangers=pl.lit(0)
    )
    both = runs.join(counted, on="run_id", how="full", coalesce=True)
    wrong = both.filter(
        pl.col("planned").ne_missing(pl.col("rows")) | pl.col("labelled").ne_missing(pl.col("labels"))
    )
    return wrong["run_id"].sort().to_list()

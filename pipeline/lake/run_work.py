"""What the rows of a run have cost, added up by the processes that drove it and the actors that labelled.

Each staged row notes its own work, so nothing is lost with a process that is killed, and a part that is staged twice counts
once. The seconds of a killed process end with its last staged part.
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from laketag.schemas import StagedLabels

GROUPS = ("start_at", "actor")
SUMMED = (
    *("images", "classified", "fetched_bytes", "fetch_s", "decode_s", "label_s"),
    *("fetch_slots", "decode_slots"),  # of each image: they may change while a process drives the run
)


@dataclass(frozen=True)
class Start:
    """That a process has begun to drive a run, and how many tasks it runs at once."""

    began_at: datetime
    fetch_slots: int
    decode_slots: int

    def note(self, rows: pl.DataFrame, staged_at: datetime) -> pl.DataFrame:
        """Label rows with the columns of laketag.pipeline.stages.stage_times → rows of schemas.StagedLabels."""
        parts = [pl.col(name) for name in ("actor", "fetched_bytes")]
        parts += [pl.col(name).fill_null(0) for name in ("fetch_s", "decode_s", "label_s")]
        work = pl.struct(
            *parts,
            start_at=pl.lit(self.began_at),
            fetch_slots=self.fetch_slots,
            decode_slots=self.decode_slots,
            staged_at=pl.lit(staged_at),
        )
        return rows.with_columns(work=work).select(StagedLabels.column_names())


def sum_work(rows: pl.DataFrame) -> pl.DataFrame:
    """The sums of SUMMED over the rows (schemas.StagedLabels), for each process and each actor, and from when to when."""
    noted = rows.filter(pl.col("work").is_not_null())
    each = noted.select("work", began_at="labelled_at").unnest("work").rename({"staged_at": "ended_at"})
    counts = each.with_columns(images=pl.lit(1), classified=(pl.col("label_s") > 0).cast(pl.Int64))
    return merge_work(counts)


def merge_work(sums: pl.DataFrame) -> pl.DataFrame:
    """The same of several such sums, below each other."""
    return (
        sums.group_by(GROUPS, maintain_order=True)
        .agg(
            *(pl.col(name).cast(pl.Float64 if name.endswith("_s") else pl.Int64).sum() for name in SUMMED),
            pl.col("began_at").min(),
            pl.col("ended_at").max(),
        )
        .sort(GROUPS)
    )

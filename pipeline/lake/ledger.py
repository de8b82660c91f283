"""The ledger of a run: planned = labelled + Σ failures by reason; index = planned + already done + left for later."""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import LedgerError
from laketag.pipeline.lake.id_ranges import split_plan
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run

ROWS_AT_ONCE = 2_500_000
"""How many planned images are compared with their outcomes at once; a few hundred bytes each."""
NAMED_ROWS = 5
"""How many of the wrong rows an error message names."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What became of a run's planned images; ``failures`` by reason, the most frequent first."""

    labelled: int
    failures: dict[str, int]


def pick_outcomes(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each image, sorted by image_id: its newest label, or its newest failure if it has no label.

    Only the key columns are sorted, then whole rows gathered: polars needs six times the memory to sort nested columns.
    """
    keys = rows.select("image_id", pl.col("failure").is_not_null(), "labelled_at").with_row_index()
    newest_label_first = keys.sort("image_id", "failure", "labelled_at", descending=[False, False, True])
    return rows[newest_label_first.unique("image_id", keep="first", maintain_order=True)["index"]]


def balance(
    lake: Lake, run: Run, plan: pl.DataFrame, rows: pl.LazyFrame, rows_at_once: int = ROWS_AT_ONCE
) -> Ledger:
    """The ledger of the run with this plan, sorted by image_id, and these staged rows.

    A LedgerError that names rows if it does not balance.
    """
    keys = ["image_id", "etag"]
    staged = rows.select(*keys, "failure", "labelled_at")
    missing, unplanned = _Wrong(), _Wrong()
    counts: Counter[str | None] = Counter()
    for images in split_plan(plan, rows_at_once):
        outcomes = pick_outcomes(staged.filter(images.holds).collect())
        missing.add(images.plan.join(outcomes, on=keys, how="anti"))
        unplanned.add(outcomes.join(images.plan, on=keys, how="anti"))
        counts.update(dict(outcomes.group_by("failure").len().iter_rows()))
    if (
        missing.rows
        or unplanned.rows
        or plan.height != run.planned
        or run.index_rows != run.planned + run.already_done + run.left
    ):
        raise LedgerError(
            f"run {run.run_id} does not balance: {run.planned} planned, {plan.height} in the plan, "
            f"{missing.rows} without a result{missing}, {unplanned.rows} never planned{unplanned}; "
            f"nothing was published, the run stays in {lake.staging(run.run_id)}. Run the same command again; "
            "if the message comes back, report it as a bug of laketag"
        )
    labelled = counts.pop(None, 0)
    failures = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return Ledger(labelled=labelled, failures={str(reason): images for reason, images in failures})


@dataclass
class _Wrong:
    """How many rows are wrong, and the ids of a few."""

    rows: int = 0
    named: tuple[str, ...] = ()

    def add(self, rows: pl.DataFrame) -> None:
        self.rows += rows.height
        self.named = (*self.named, *rows["image_id"].head(NAMED_ROWS))[:NAMED_ROWS]

    def __str__(self) -> str:
        return f" ({', '.join(self.named)}{', …' if self.rows > NAMED_ROWS else ''})" if self.rows else ""

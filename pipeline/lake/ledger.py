"""The ledger of a run: planned = labelled + Σ failures by reason; index = planned + already done + left for later."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import LedgerError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, scan_parts

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


def balance(lake: Lake, run: Run, plan: pl.DataFrame, parts: Sequence[str]) -> Ledger:
    """The ledger of the run with this plan and these parts; a LedgerError naming rows if it does not balance."""
    keys = ["image_id", "etag"]
    staged = scan_parts(lake, run.run_id, parts)
    outcomes = pick_outcomes(staged.select(*keys, "failure", "labelled_at").collect())
    missing = plan.join(outcomes, on=keys, how="anti")
    unplanned = outcomes.join(plan, on=keys, how="anti")
    if (
        missing.height
        or unplanned.height
        or plan.height != run.planned
        or run.index_rows != run.planned + run.already_done + run.left
    ):
        raise LedgerError(
            f"run {run.run_id} does not balance: {run.planned} planned, {plan.height} in the plan, "
            f"{missing.height} without a result{_named(missing)}, {unplanned.height} never planned{_named(unplanned)}; "
            f"nothing was published, the run stays in {lake.staging(run.run_id)}. Run the same command again; "
            "if the message comes back, report it as a bug of laketag"
        )
    failed = outcomes.filter(pl.col("failure").is_not_null())
    counts = failed.group_by("failure").len().sort("len", "failure", descending=[True, False])
    return Ledger(labelled=outcomes.height - failed.height, failures=dict(counts.iter_rows()))


def _named(rows: pl.DataFrame) -> str:
    names = ", ".join(rows["image_id"].head(NAMED_ROWS))
    return f" ({names}{', …' if rows.height > NAMED_ROWS else ''})" if names else ""

"""The ledger of a run: planned = labelled + Σ failures by reason; index = planned + already done."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import LedgerError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, scan_parts, scan_plan

SHOWN = 5
"""How many of the wrong rows a message names."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The sums of a run; ``failures`` by reason, most frequent first."""

    index_rows: int
    already_done: int
    planned: int
    labelled: int
    failures: dict[str, int]


def pick_outcomes(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each image, sorted by image_id: a label before a failure, then the newest.

    Rows are found by their keys and then gathered: polars needs six times the memory to sort nested columns.
    """
    keys = rows.select("image_id", pl.col("failure").is_not_null(), "labelled_at").with_row_index()
    newest_label_first = keys.sort("image_id", "failure", "labelled_at", descending=[False, False, True])
    return rows[newest_label_first.unique("image_id", keep="first", maintain_order=True)["index"]]


def balance(lake: Lake, run: Run, parts: Sequence[str]) -> Ledger:
    """The ledger of the run with these parts, or a LedgerError that names the rows for which it does not balance."""
    keys = ["image_id", "etag"]
    plan = scan_plan(lake, run.run_id).select(keys).collect()
    staged = scan_parts(lake, run.run_id, parts)
    outcomes = pick_outcomes(staged.select(*keys, "failure", "labelled_at").collect())
    missing = plan.join(outcomes, on=keys, how="anti")
    strange = outcomes.join(plan, on=keys, how="anti")
    if (
        missing.height
        or strange.height
        or plan.height != run.planned
        or run.index_rows != run.planned + run.already_done
    ):
        raise LedgerError(
            f"run {run.run_id} does not balance: {run.planned} planned, {plan.height} in the plan, "
            f"{missing.height} without a result{_some(missing)}, {strange.height} never planned{_some(strange)}; "
            f"nothing was published, the run stays in {lake.staging(run.run_id)}. Run the same command again; "
            "if it stays so, this is a mistake of laketag"
        )
    failed = outcomes.filter(pl.col("failure").is_not_null())
    counts = failed.group_by("failure").len().sort("len", "failure", descending=[True, False])
    return Ledger(
        index_rows=run.index_rows,
        already_done=run.already_done,
        planned=run.planned,
        labelled=outcomes.height - failed.height,
        failures=dict(counts.iter_rows()),
    )


def _some(rows: pl.DataFrame) -> str:
    names = ", ".join(rows["image_id"].head(SHOWN))
    return f" ({names}{', …' if rows.height > SHOWN else ''})" if names else ""

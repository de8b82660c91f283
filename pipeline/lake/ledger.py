"""The ledger of a run: planned = labelled + Σ failures by reason; index = planned + already done + left for later."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import LedgerError
from laketag.pipeline.lake.id_ranges import IdRange
from laketag.pipeline.lake.outcomes import pick_outcomes
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run

NAMED_ROWS = 5
"""How many of the wrong rows an error message names."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What became of a run's planned images; ``failures`` by reason, the most frequent first."""

    labelled: int
    failures: dict[str, int]
    undone: int = 0
    """Planned images that have no outcome, where a run may leave them."""


def balance(lake: Lake, run: Run, ranges: Iterable[IdRange], *, may_leave: bool = False) -> Ledger:
    """The ledger of the run, whose plan and staged rows these are; a LedgerError that names rows if it does not balance."""
    keys = ["image_id", "etag"]
    missing, unplanned = _Wrong(), _Wrong()
    counts: Counter[str | None] = Counter()
    planned = 0
    for images in ranges:
        plan = images.plan.read()
        outcomes = pick_outcomes(images.rows.read([*keys, "failure", "labelled_at"]))
        planned += plan.height
        missing.add(plan.join(outcomes, on=keys, how="anti", maintain_order="left"))
        unplanned.add(outcomes.join(plan, on=keys, how="anti", maintain_order="left"))
        counts.update(dict(outcomes.group_by("failure").len().iter_rows()))
    if (
        (missing.rows and not may_leave)
        or unplanned.rows
        or planned != run.planned
        or run.index_rows != run.planned + run.already_done + run.left
    ):
        raise LedgerError(
            f"run {run.run_id} does not balance: {run.planned} planned, {planned} in the plan, "
            f"{missing.rows} without a result{missing}, {unplanned.rows} never planned{unplanned}; "
            f"nothing was published, the run stays in {lake.staging(run.run_id)}. Run the same command again; "
            "if the message comes back, report it as a bug of laketag"
        )
    labelled = counts.pop(None, 0)
    failures = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    by_reason = {str(reason): images for reason, images in failures}
    return Ledger(labelled=labelled, failures=by_reason, undone=missing.rows)


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

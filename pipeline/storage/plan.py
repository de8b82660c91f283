"""Which images a run has to do: the index minus what finished runs have done with the same classifier."""

from dataclasses import dataclass

import polars as pl

from pipeline.lake import Lake
from pipeline.storage.runs import read_runs, scan_labels
from pipeline.storage.snapshots import Snapshot, scan_snapshot
from schemas import PERMANENT_FAILURES, Plan


@dataclass(frozen=True)
class Pending:
    """The rows to do (schemas.Plan, in the order of the index), and how many the index holds."""

    rows: pl.DataFrame
    index_rows: int


def find_pending(lake: Lake, snapshot: Snapshot, collection: str, classifier: str) -> Pending:
    """The snapshot's rows that no finished run of this classifier has done in this version.

    Done is an image whose row has a label or a permanent failure; a transient failure is tried again.
    The work key is (image_id, etag, classifier).
    """
    runs = read_runs(lake, collection, classifier)
    done = (
        scan_labels(lake, runs)
        .filter(pl.col("failure").is_null() | pl.col("failure").cast(pl.String).is_in(PERMANENT_FAILURES))
        .select("image_id", "etag")
    )
    index = scan_snapshot(lake, snapshot)
    rows = index.join(done, on=["image_id", "etag"], how="anti", maintain_order="left").select(
        Plan.column_names()
    )
    index_rows = index.select(pl.len()).collect().item()
    return Pending(Plan.validate(rows.collect(), cast=True), index_rows)

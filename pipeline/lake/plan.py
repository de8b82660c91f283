"""Which images a run has to label: the index minus what finished runs of the same classifier have done."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs, scan_newest
from laketag.pipeline.lake.snapshots import Snapshot, scan_snapshot
from laketag.pipeline.store.errors import store_errors
from laketag.schemas import PERMANENT_FAILURES, Plan


@dataclass(frozen=True)
class Pending:
    """What a run has to label."""

    rows: pl.DataFrame
    """schemas.Plan, in the order of the index."""
    index_rows: int
    failed: dict[str, int]
    """The images of the index that are done but have no label, by reason, the most frequent first."""


def find_pending(
    lake: Lake, snapshot: Snapshot, collection: str, fingerprint: str, retry: Iterable[str] = ()
) -> Pending:
    """The rows of the snapshot that no finished run of this classifier has done in this version of the image.

    An image is done if its newest row has this etag and either a label or a permanent failure whose reason is not in
    ``retry``. Transient failures are always tried again.
    """
    final = set(PERMANENT_FAILURES) - set(retry)
    done = (
        scan_newest(lake, read_runs(lake, collection, fingerprint))
        .with_columns(pl.col("failure").cast(pl.String))
        .filter(pl.col("failure").is_null() | pl.col("failure").is_in(final))
        .select("image_id", "etag", "failure")
    )
    index = scan_snapshot(lake, snapshot)
    key = ["image_id", "etag"]
    rows = index.join(done, on=key, how="anti", maintain_order="left").select(Plan.column_names())
    failed = (
        done.filter(pl.col("failure").is_not_null())
        .join(index, on=key, how="semi")
        .group_by("failure")
        .len()
        .sort("len", "failure", descending=[True, False])
    )
    with store_errors(lake.root):
        plan, counted, reasons = pl.collect_all([rows, index.select(pl.len()), failed])
    return Pending(plan, counted.item(), dict(reasons.iter_rows()))

"""The last stage: label rows in, a staged part and its receipt out."""

import polars as pl
import pyarrow as pa

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import write_part
from laketag.schemas import LABELLED


def write_labels(batch: pa.Table, *, lake: Lake, run_id: str) -> pa.Table:
    """The rows are staged; the receipt has one row for each outcome: images, bytes read, retries of the fetch."""
    rows = pl.DataFrame(batch)
    write_part(lake, run_id, rows.drop("fetched_bytes"))
    receipt = rows.group_by(outcome=pl.col("failure").fill_null(LABELLED)).agg(
        images=pl.len(),
        fetched_bytes=pl.col("fetched_bytes").sum(),
        retries=(pl.col("attempts") - 1).clip(0).sum(),
    )
    return receipt.to_arrow()

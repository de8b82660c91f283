"""The last stage: label rows in, a staged part and its receipt out."""

import polars as pl
import pyarrow as pa

from laketag.pipeline.config import DecodeSettings, FetchSettings
from laketag.pipeline.images.failure_dependencies import failure_dependencies
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import write_part
from laketag.schemas import LABELLED


def write_labels(
    batch: pa.Table, *, lake: Lake, run_id: str, fetch: FetchSettings, decode: DecodeSettings
) -> pa.Table:
    """The rows are staged, failures with what they depended on (laketag.pipeline.images.failure_dependencies).

    Rows that were given up as ``poison`` are only counted: the driver stages them, if the image kills once more alone.
    The receipt has one row for images in a row with the same outcome: how many, bytes read, retries of the fetch, and the
    first one's URI and why it failed.
    """
    depended_on = pl.col("failure").replace_strict(failure_dependencies(fetch, decode), default=None)
    rows = pl.DataFrame(batch).with_columns(failure_depended_on=depended_on)
    staged = rows.filter(pl.col("failure").ne_missing("poison")).drop("fetched_bytes")
    if staged.height:
        write_part(lake, run_id, staged)
    outcome = pl.col("failure").fill_null(LABELLED)
    receipt = rows.group_by(outcome.rle_id().alias("number"), maintain_order=True).agg(
        outcome=outcome.first(),
        images=pl.len(),
        fetched_bytes=pl.col("fetched_bytes").sum(),
        retries=(pl.col("attempts") - 1).clip(0).sum(),
        uri=pl.col("uri").first(),
        detail=pl.col("failure_detail").first(),
    )
    return receipt.drop("number").to_arrow()

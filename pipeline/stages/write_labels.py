"""The last stage: label rows in, a staged part and its receipt out."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from laketag.pipeline.config import Settings
from laketag.pipeline.images.failure_dependencies import failure_dependencies
from laketag.pipeline.lake.kept_tables import KEPT_SCHEMAS
from laketag.pipeline.lake.paths import KeptTable, Lake
from laketag.pipeline.lake.run_work import Start
from laketag.pipeline.lake.staging import write_part
from laketag.schemas import LABELLED


def write_labels(
    batch: pa.Table,
    *,
    lake: Lake,
    run_id: str,
    settings: Settings,
    start: Start,
    keep: Sequence[KeptTable] = (),
) -> pa.Table:
    """The rows are staged with what they have cost, failures with what they depended on, labels with what is kept.

    Rows that were given up as ``poison`` are only counted: the driver stages them, if the image kills once more alone.
    The receipt has one row for images in a row with the same outcome: how many, bytes read, retries of the fetch, and the
    first one's URI and why it failed.
    """
    dependencies = failure_dependencies(settings.fetch, settings.decode)
    depended_on = pl.col("failure").replace_strict(dependencies, default=None)
    rows = pl.DataFrame(batch).with_columns(failure_depended_on=depended_on)
    staged = rows.filter(pl.col("failure").ne_missing("poison"))
    if staged.height:
        labelled = staged.filter(pl.col("label").is_not_null())
        tables = keep if labelled.height else ()
        kept = {table: labelled.select(KEPT_SCHEMAS[table].column_names()) for table in tables}
        write_part(lake, run_id, start.note(staged, datetime.now(UTC)), kept)
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

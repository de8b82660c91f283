"""Stage: planned rows in, the same rows with the embeddings that an earlier run has kept out; no image is read."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.stages.stage_times import timed
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Embeddings

if TYPE_CHECKING:  # the driver imports this stage, and does without torch
    from laketag.pipeline.classifier.kept_views import KeptViews

PACKED = ("boxes_px", "format", "embeddings", "scales", "logit_scale")
"""The columns of schemas.Embeddings that a matcher looks at."""
KEY = ("image_id", "etag")


def read_in_parts(batch: pa.Table, *, lake: Lake) -> Iterator[pa.Table]:
    """As read_embeddings, a table for each file; rows also have the seconds of laketag.pipeline.stages.stage_times."""
    for table in timed(read_embeddings(pl.DataFrame(batch), lake), "fetch_s"):
        yield table.append_column("decode_s", pa.nulls(table.num_rows, pa.float32()))


def read_embeddings(rows: pl.DataFrame, lake: Lake) -> Iterator[pa.Table]:
    """Rows with ``file``, relative to the lake's root, and ``row`` in it have PACKED and the sizes of the image instead.

    An InputError if the row of a file is not of this version of the image.
    """
    for (path,), wanted in rows.partition_by("file", as_dict=True, maintain_order=True).items():
        url = f"{lake.root}/{path}"
        scan = scan_table([url], Embeddings, lake.storage).select(*KEY, *PACKED, "width_px", "height_px")
        content = through_outages(url, lake.storage, scan.collect)
        if wanted["row"].max() >= content.height:  # type: ignore[operator]  # a number, as there are rows
            raise _changed(url)
        found = content[wanted["row"]]
        if not found.select(KEY).equals(wanted.select(KEY)):
            raise _changed(url)
        yield (
            wanted.drop("file", "row", "size_bytes", strict=False)
            .hstack(found.drop(KEY))
            .with_columns(
                bounded_width_px="width_px",
                bounded_height_px="height_px",
                failure=pl.lit(None, pl.String),
                failure_detail=pl.lit(None, pl.String),
                attempts=pl.lit(0, pl.Int32),
                fetched_bytes=pl.lit(0, pl.Int64),
            )
            .to_arrow(compat_level=pl.CompatLevel.oldest())
        )


def _changed(url: str) -> InputError:
    return InputError(
        f"{url}: has not the embeddings that it had when the run was planned; find out what changed it: laketag verify"
    )


def unpack_views(batch: pa.Table) -> "list[KeptViews]":
    """What the rows have in the columns PACKED."""
    from laketag.pipeline.classifier.kept_views import KeptViews, Packed, unpack

    found = []
    for boxes, stored_as, numbers, scales, logit_scale in pl.DataFrame(batch.select(PACKED)).iter_rows():
        boxes_px = np.array(boxes, np.int64).reshape(-1, 4)
        found.append(
            KeptViews(unpack(Packed(numbers, scales), stored_as, len(boxes_px)), boxes_px, logit_scale)
        )
    return found

"""Rows of the newest index whose images were not looked at this time."""

from collections.abc import Iterator, Sequence

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import find_snapshot, scan_snapshot
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import is_text

ROWS_OF_A_BATCH = 65_536


def carried_rows(lake: Lake, collection: str, unseen: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows of the collection's newest snapshot that are at or below one of the URLs, marked as carried, in batches.

    None of the URLs is below another one. Names that are not UTF-8 are in no index.
    """
    tops = sorted(f"{url.rstrip('/')}/" for url in unseen if is_text(url))
    snapshot = find_snapshot(lake, collection) if tops else None
    if snapshot is None:
        return
    with store_errors(lake.root):
        rows = scan_snapshot(lake, snapshot)
        for batch in rows.collect_batches(
            chunk_size=ROWS_OF_A_BATCH, maintain_order=True, engine="streaming"
        ):
            below = batch.filter(_is_below(batch["uri"], pl.Series(tops)))
            if not below.is_empty():
                yield below.with_columns(carried=pl.lit(True))


def _is_below(uris: pl.Series, tops: pl.Series) -> pl.Series:
    """Whether each URI is at or below one of the sorted tops, which end with a slash: the last one that sorts before it."""
    nearest = tops.search_sorted(uris + "/", side="right").cast(pl.Int64) - 1
    rows = pl.DataFrame({"uri": uris, "nearest": nearest, "top": tops.gather(nearest.clip(0))})
    is_below = (pl.col("nearest") >= 0) & (pl.col("uri") + "/").str.starts_with(pl.col("top"))
    return rows.select(is_below).to_series()

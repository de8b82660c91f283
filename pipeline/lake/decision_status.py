"""Whether decisions still count: none is newer, and the newest index has the image in the version that was decided."""

import polars as pl

from laketag.pipeline.lake.current_rows import CURRENT, REMOVED, STALE
from laketag.pipeline.lake.decisions import Decided, select_current
from laketag.pipeline.lake.snapshots import find_snapshot, scan_snapshot
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Decisions

REPLACED = "replaced"
FROM_LAKE = ("collection", "description_set", "status")


def compare_decisions(decided: Decided) -> pl.DataFrame:
    """All decisions (schemas.Decisions) in the order in which they were made, with FROM_LAKE."""
    rows = decided.read()
    counting = select_current(rows).select("decision_id", counts=True)
    both = rows.join(counting, on="decision_id", how="left", maintain_order="left")
    indexed = _read_versions(decided, rows)
    both = both.join(indexed, on="image_id", how="left", maintain_order="left")
    status = (
        pl.when(pl.col("counts").is_null())
        .then(pl.lit(REPLACED))
        .when(pl.col("indexed").is_null())
        .then(pl.lit(REMOVED))
        .when(pl.col("indexed") == pl.col("etag"))
        .then(pl.lit(CURRENT))
        .otherwise(pl.lit(STALE))
    )
    return both.with_columns(
        pl.col("verdict", "tool").cast(pl.String),
        collection=pl.lit(decided.collection),
        description_set=pl.lit(decided.set_name),
        status=status,
    ).drop("counts", "indexed")


def no_compared() -> pl.DataFrame:
    """No rows, with the columns of compare_decisions."""
    empty = Decisions.create_empty().with_columns(pl.col("verdict", "tool").cast(pl.String))
    return empty.with_columns(pl.lit(None, pl.String).alias(name) for name in FROM_LAKE)


def _read_versions(decided: Decided, rows: pl.DataFrame) -> pl.DataFrame:
    """The id and the version ``indexed`` of each of the rows' images that the newest index has."""
    snapshot = find_snapshot(decided.lake, decided.collection)
    if snapshot is None:
        return rows.select("image_id", indexed="etag").clear()
    wanted = rows.lazy().select("image_id")
    images = scan_snapshot(decided.lake, snapshot).select("image_id", indexed="etag")
    found = images.join(wanted, on="image_id", how="semi")
    return through_outages(decided.url, decided.lake.storage, lambda: found.collect(engine="streaming"))

"""The table of nights: ``nights/N.parquet``, a row for each collection of each night."""

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_table, write_table
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Nights


def write_night(lake: Lake, night_id: str, rows: pl.DataFrame) -> None:
    """The rows (schemas.Nights) of the night are in its file."""
    write_table(rows, lake.path("nights", f"{night_id}.parquet"), Nights, lake.storage)


def read_nights(lake: Lake) -> pl.DataFrame:
    """All nights (schemas.Nights), the oldest first."""
    files = list_files(lake.path("nights"), lake.storage)
    if not files:
        return Nights.create_empty()
    return read_table(files, Nights, lake.storage).sort("started_at")

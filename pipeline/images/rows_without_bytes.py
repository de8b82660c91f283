"""Which rows of a column of embedded images hold none, read from the footer where it tells."""

from dataclasses import dataclass

import polars as pl
import pyarrow.parquet as pq

from laketag.pipeline.images.embedded_values import binary_values, find_chunk


@dataclass(frozen=True)
class RowsWithoutBytes:
    """How many of the rows are null, and where, if that is wanted."""

    rows: int
    count: int
    mask: pl.Series | None


def find_rows_without_bytes(table: pq.ParquetFile, column: str, *, where: bool) -> RowsWithoutBytes:
    """The rows of the column (a dotted path) that are null.

    The statistics of a row group say how many are. Its bytes are read only if it has no statistics, or if some are null and
    it is wanted ``where``.
    """
    count = 0
    masks: list[pl.Series] = []
    for row_group in range(table.metadata.num_row_groups):
        rows = table.metadata.row_group(row_group).num_rows
        nulls = _count_nulls(table, row_group, column)
        if nulls is None or (where and 0 < nulls < rows):
            mask = _read_nulls(table, row_group, column)
            nulls = int(mask.sum())
        else:
            mask = pl.Series([nulls > 0]).new_from_index(0, rows)
        count += nulls
        masks.append(mask)
    return RowsWithoutBytes(table.metadata.num_rows, count, pl.concat(masks) if where and masks else None)


def _count_nulls(table: pq.ParquetFile, row_group: int, column: str) -> int | None:
    """By the statistics of the row group; None if there are none."""
    chunk = find_chunk(table.metadata, row_group, column)
    statistics = chunk.statistics if chunk is not None and chunk.is_stats_set else None
    return int(statistics.null_count) if statistics is not None and statistics.has_null_count else None


def _read_nulls(table: pq.ParquetFile, row_group: int, column: str) -> pl.Series:
    batches = table.iter_batches(1, row_groups=[row_group], columns=[column], use_threads=False)
    return pl.Series([not binary_values(batch)[0].is_valid for batch in batches], dtype=pl.Boolean)

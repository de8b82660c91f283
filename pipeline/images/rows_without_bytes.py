"""Which rows of a column of embedded images hold none, read from the footer where it tells."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow.parquet as pq

from laketag.pipeline.images.embedded_values import binary_values, find_chunk


@dataclass(frozen=True)
class RowsWithoutBytes:
    """How many of the rows have no bytes in any of some columns, and where, if that is wanted."""

    rows: int
    count: int
    mask: pl.Series | None
    column: pl.Series | None = None
    """Of each row, the number of the first column with bytes, or 0; None if only the first column matters."""

    def slice(self, start: int, rows: int) -> "RowsWithoutBytes":
        """The same of some of the rows, as far as it is known where they are."""
        mask = None if self.mask is None else self.mask.slice(start, rows)
        column = None if self.column is None else self.column.slice(start, rows)
        return RowsWithoutBytes(rows, 0 if mask is None else int(mask.sum()), mask, column)


def find_rows_without_bytes(
    table: pq.ParquetFile, columns: Sequence[str], *, where: bool
) -> RowsWithoutBytes:
    """The rows that are null in all of the columns (dotted paths).

    The statistics of a row group say how many are. Its bytes are read only if it has no statistics, or if some are null and
    it is wanted ``where``: for another column to look into, or for the caller.
    """
    first, others = columns[0], columns[1:]
    nulls = _find_nulls(table, first, where=where or bool(others))
    if not others or not nulls.count or nulls.mask is None:
        return nulls
    mask, column = nulls.mask, pl.zeros(nulls.rows, dtype=pl.UInt32, eager=True)
    for number, other in enumerate(others, 1):
        also = _find_nulls(table, other, where=True).mask
        assert also is not None
        column = column.set(mask & ~also, number)
        mask &= also
    return RowsWithoutBytes(nulls.rows, int(mask.sum()), mask, column)


def _find_nulls(table: pq.ParquetFile, column: str, *, where: bool) -> RowsWithoutBytes:
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
    mask_of_all = pl.concat(masks) if where and masks else None
    return RowsWithoutBytes(table.metadata.num_rows, count, mask_of_all)


def _count_nulls(table: pq.ParquetFile, row_group: int, column: str) -> int | None:
    """By the statistics of the row group; None if there are none."""
    chunk = find_chunk(table.metadata, row_group, column)
    statistics = chunk.statistics if chunk is not None and chunk.is_stats_set else None
    return int(statistics.null_count) if statistics is not None and statistics.has_null_count else None


def _read_nulls(table: pq.ParquetFile, row_group: int, column: str) -> pl.Series:
    batches = table.iter_batches(1, row_groups=[row_group], columns=[column], use_threads=False)
    return pl.Series([not binary_values(batch)[0].is_valid for batch in batches], dtype=pl.Boolean)

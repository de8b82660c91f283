"""Reading images that are embedded in a column of a Parquet file.

pyarrow cannot start in the middle of a row group: to get some rows of one it reads from the group's start to the last of
them. So a read may take as long as the whole column needs, and a row group that is fetched in B batches is read about B/2
times over. Tables with some hundred images in a row group, not all of them in one, are fetched many times faster.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.images.embedded_values import binary_values, find_chunk
from laketag.pipeline.images.fetch_files import check_size
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_reading import ImageReading
from laketag.pipeline.images.open_tables import BUFFER_BYTES, is_damage
from laketag.pipeline.store.locations import Location
from laketag.pipeline.store.versioned_file import open_version
from laketag.pipeline.store.versions import Version

SLOWEST_BYTES_PER_S = BUFFER_BYTES
"""The lowest rate that a deadline allows for: one read a second, as when 30 of them share a gigabit."""


@dataclass(frozen=True)
class ImageColumn:
    """A column of embedded images, by its dotted name, in one version of a Parquet file."""

    file: Location
    version: Version
    name: str


@dataclass(frozen=True)
class WantedRows:
    """Rows wanted of one row group, in a table with this footer; numbers count from the start of the table, sorted."""

    footer: Any  # pq.FileMetaData
    row_group: int
    first_row: int  # of the row group
    rows: tuple[int, ...]

    def chunk(self, column: str) -> Any:
        """The metadata of the column (a dotted path) in the row group; None if there is no such column."""
        return find_chunk(self.footer, self.row_group, column)


def read_footer(column: ImageColumn, reading: ImageReading) -> Any:
    """The footer (pq.FileMetaData) of the column's file."""
    with _open(column, reading, reading.settings.deadline_s) as source:
        return _parse(source).metadata


def split_by_row_group(footer: Any, rows: Iterable[int]) -> Iterator[WantedRows]:
    """The wanted rows by row group, each once; rows beyond the end of the table are left out."""
    wanted = sorted(set(rows))
    first_row = 0
    for row_group in range(footer.num_row_groups):
        end = first_row + footer.row_group(row_group).num_rows
        inside = wanted[bisect_left(wanted, first_row) : bisect_left(wanted, end)]
        if inside:
            yield WantedRows(footer, row_group, first_row, tuple(inside))
        first_row = end


def row_group_deadline_s(wanted: WantedRows, column: str, settings: FetchSettings) -> float:
    """fetch.deadline_s, plus the time that a store at its slowest needs for the row group's whole column."""
    chunk = wanted.chunk(column)
    return settings.deadline_s + (chunk.total_compressed_size if chunk else 0) / SLOWEST_BYTES_PER_S


def unpacked_bytes(wanted: WantedRows, column: str) -> int:
    """The size of the column in the row group before it was compressed: the most that one of its pages may need."""
    chunk = wanted.chunk(column)
    return chunk.total_uncompressed_size if chunk else 0


def read_rows(
    column: ImageColumn, wanted: WantedRows, reading: ImageReading
) -> dict[int, bytes | ImageFailure]:
    """The wanted images by row number, until the budget is spent; their row group is read once, from its start.

    Rows are decoded one by one: how large they are is known only then. Memory holds one of them, one page, and the images.
    """
    settings, budget = reading.settings, reading.budget
    found: dict[int, bytes | ImageFailure] = {}
    with _open(column, reading, row_group_deadline_s(wanted, column.name, settings)) as source:
        try:
            for row, image in _read_images(_parse(source, wanted.footer), column, wanted, settings.max_bytes):
                if isinstance(image, ImageFailure):
                    found[row] = image
                elif budget.take(image.size):
                    found[row] = image.to_pybytes()  # a copy, so that the page it is in can be freed
                else:
                    break
        except BaseException:
            budget.add(-sum(len(image) for image in found.values() if isinstance(image, bytes)))
            raise
    return found


def _read_images(
    table: pq.ParquetFile, column: ImageColumn, wanted: WantedRows, max_bytes: int
) -> Iterator[tuple[int, pa.Buffer | ImageFailure]]:
    """The wanted rows with their bytes, as part of the page that was read."""
    rows = set(wanted.rows)
    batches = table.iter_batches(1, row_groups=[wanted.row_group], columns=[column.name], use_threads=False)
    try:
        for row, batch in enumerate(batches, wanted.first_row):
            if row in rows:
                yield row, _bytes_of(_values(batch, column.name)[0], max_bytes)
            del batch  # or it would be held while the next row is decoded
            if row == wanted.rows[-1]:
                return
    except OSError as error:
        if not is_damage(error):
            raise
        raise ImageFailure("undecodable", f"the table is damaged: {error}") from None


def _bytes_of(value: Any, max_bytes: int) -> pa.Buffer | ImageFailure:
    if not value.is_valid:
        return ImageFailure("empty", "the row holds no bytes")
    data: pa.Buffer = value.as_buffer()
    try:
        check_size(data.size, max_bytes)
    except ImageFailure as failure:
        return failure.with_traceback(None)  # which would hold the bytes as long as the failure
    return data


def _values(batch: pa.RecordBatch, column: str) -> pa.Array:
    if not batch.num_columns:
        raise ImageFailure("not_found", f"the table has no column {column}")
    try:
        return binary_values(batch)
    except ValueError as error:
        raise ImageFailure("unsupported", f"column {column} holds {error}") from None


def _open(column: ImageColumn, reading: ImageReading, deadline_s: float) -> Any:
    return open_version(column.file, column.version, reading.storage, reading.requests, deadline_s)


def _parse(source: Any, footer: Any = None) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source, metadata=footer, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise ImageFailure("undecodable", f"not a Parquet file: {error}") from None

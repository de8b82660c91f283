"""Rows without bytes are counted by the footer where it tells, and found by reading where it does not."""

import io
import os
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.images.rows_without_bytes import find_rows_without_bytes

VALUES = [b"x" * 100_000, None, b"", None, None, None, b"y", b"z"]
STRUCTS = [None if value is None else {"bytes": value, "path": "p"} for value in VALUES]


class CountingFile(io.BytesIO):
    """A file that counts the bytes that are read of it."""

    bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


def opened(columns: dict[str, object], **options: object) -> tuple[pq.ParquetFile, Callable[[], int]]:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=2, **options)
    file = CountingFile(sink.getvalue())
    return pq.ParquetFile(file, buffer_size=4096, pre_buffer=False), lambda: file.bytes_read


@pytest.mark.parametrize("values", [VALUES, STRUCTS])
@pytest.mark.parametrize("has_statistics", [True, False])
def test_rows_without_bytes_are_found_in_each_row_group(values: list[object], has_statistics: bool) -> None:
    table, _ = opened({"image": values}, write_statistics=has_statistics)
    column = "image" if values is VALUES else "image.bytes"
    found = find_rows_without_bytes(table, [column], where=True)
    assert (found.rows, found.count) == (8, 4)
    assert found.mask is not None
    assert found.mask.arg_true().to_list() == [1, 3, 4, 5]
    assert find_rows_without_bytes(table, [column], where=False).count == 4


def test_the_bytes_are_not_read_where_statistics_tell() -> None:
    table, bytes_read = opened({"image": [os.urandom(100_000), None] * 4})
    before = bytes_read()
    assert find_rows_without_bytes(table, ["image"], where=False).count == 4
    assert bytes_read() == before


def test_a_row_without_bytes_in_one_column_may_have_them_in_another() -> None:
    a, b, c = [b"x", None, None, None, b"x"], [b"y", b"y", None, None, None], [None, b"z", b"z", None, None]
    table, _ = opened({"a": a, "b": b, "c": c})
    found = find_rows_without_bytes(table, ["a", "b", "c"], where=False)
    assert found.column is not None
    assert found.mask is not None
    assert found.column.to_list() == [0, 1, 2, 0, 0]
    assert (found.count, found.mask.arg_true().to_list()) == (1, [3])

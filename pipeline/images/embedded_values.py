"""The bytes in a column of a Parquet file: its chunks in the footer, and its values in what was read of it."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from laketag.pipeline.images.column_types import is_bytes


def find_chunk(footer: Any, row_group: int, column: str) -> Any:
    """The metadata of the column (a dotted path) in the row group; None if there is no such column."""
    group = footer.row_group(row_group)
    chunks = (group.column(number) for number in range(footer.num_columns))
    return next((chunk for chunk in chunks if chunk.path_in_schema == column), None)


def binary_values(batch: pa.RecordBatch) -> pa.Array:
    """The values of the one column that was read; of a struct only the named field was read, so it is the first.

    A ValueError if they are no bytes.
    """
    values = batch.column(0)
    while pa.types.is_struct(values.type):
        values = pc.struct_field(values, [0])
    if not is_bytes(values.type):
        raise ValueError(f"{values.type}, not bytes")
    return values

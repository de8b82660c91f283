"""What the stages note about their own work: columns that travel with each row until it is staged."""

import os
import platform
import time
from collections.abc import Callable, Iterator

import pyarrow as pa

WORK_COLUMNS = {
    "fetched_bytes": pa.int64(),
    "fetch_s": pa.float32(),
    "decode_s": pa.float32(),
    "label_s": pa.float32(),
    "actor": pa.string(),
}
"""Bytes read, the image's share of each stage's seconds, and the process that labelled it."""


def timed(
    tables: Iterator[pa.Table], column: str, clock: Callable[[], float] = time.perf_counter
) -> Iterator[pa.Table]:
    """The same tables; in the column, each row has an equal share of the seconds that its table took to be made."""
    while True:
        began_s = clock()
        table = next(tables, None)
        if table is None:
            return
        share_s = (clock() - began_s) / max(1, table.num_rows)
        yield table.append_column(column, pa.array([share_s] * table.num_rows, WORK_COLUMNS[column]))


def name_actor() -> str:
    """The process as the table of runs names it: node and process id."""
    return f"{platform.node()}/{os.getpid()}"

"""Reading images that are embedded in a column of a Parquet file, local or on S3.

pyarrow cannot begin in the middle of a row group: what is wanted of one is read from the group's start to the last wanted row.
So a read has time for the whole column, and a row group that is fetched in B batches is read about B/2 times over. That is the
limit: tables whose row groups hold some hundred images, not all of them, are fetched many times faster.
"""

import io
import os
import time
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.fetch_failures import FetchError
from laketag.pipeline.images.fetch_files import UNKNOWN_ETAG, check_size, file_etag
from laketag.pipeline.images.fetch_objects import check_version, version_option
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_clients import Requests
from laketag.pipeline.store.schemes import is_remote, open_bucket

READ_BYTES = 4 * 2**20
"""Read of a column at once: memory holds this and a few pages, however large the row group is."""
ROWS_PER_READ = 16
SLOWEST_BYTES_PER_S = READ_BYTES
"""What a store must deliver at least: one read a second, as when 30 of them share a gigabit."""


def read_footer(file: str, etag: str, settings: FetchSettings, storage: StorageSettings) -> pq.FileMetaData:
    """The footer of the file's indexed version."""
    with _open(file, etag, settings.deadline_s, settings, storage) as source:
        return _parsed(source).metadata


def row_groups_of(
    metadata: Any, rows: list[tuple[int, int]]
) -> tuple[dict[int, list[tuple[int, int]]], list[int]]:
    """The wanted (row, index) pairs by row group, as sorted (row inside it, index); and the indexes of rows beyond."""
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    remaining = sorted(rows)
    start = 0
    for number in range(metadata.num_row_groups):
        end = start + metadata.row_group(number).num_rows
        while remaining and remaining[0][0] < end:
            row, index = remaining.pop(0)
            groups[number].append((row - start, index))
        start = end
    return dict(groups), [index for _, index in remaining]


def row_group_deadline_s(metadata: Any, row_group: int, column: str, settings: FetchSettings) -> float:
    """fetch.deadline_s, and besides as long as a store at its slowest takes for the row group's whole column."""
    chunks = (metadata.row_group(row_group).column(i) for i in range(metadata.num_columns))
    size_bytes: int = sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema == column)
    return settings.deadline_s + size_bytes / SLOWEST_BYTES_PER_S


def read_rows(
    file: str,
    etag: str,
    column: str,
    metadata: Any,
    row_group: int,
    offsets: list[int],
    deadline_s: float,
    settings: FetchSettings,
    storage: StorageSettings,
) -> list[bytes | FetchError]:
    """The images at these sorted offsets of a row group, read once from its start to the last of them."""
    with _open(file, etag, deadline_s, settings, storage) as source:
        table = _parsed(source, metadata)
        if not _has_column(table, column):
            raise FetchError("not_found", f"the table has no column {column}")
        found: dict[int, bytes | FetchError] = {}
        wanted = set(offsets)
        start = 0
        for batch in table.iter_batches(
            ROWS_PER_READ, row_groups=[row_group], columns=[column], use_threads=False
        ):
            values = _leaf(batch, column)
            for offset in range(start, start + len(values)):
                if offset in wanted:
                    found[offset] = _image(values[offset - start], settings.max_bytes)
            start += len(values)
            if len(found) == len(wanted):
                break
    return [found[offset] for offset in offsets]


def _image(value: Any, max_bytes: int) -> bytes | FetchError:
    if not value.is_valid:
        return FetchError("empty", "the row holds no bytes")
    data = value.as_buffer()
    try:
        check_size(data.size, max_bytes)
    except FetchError as error:
        return error
    copied: bytes = data.to_pybytes()  # so that the page it lies in can go
    return copied


def _leaf(batch: pa.RecordBatch, column: str) -> pa.Array:
    """The column's binary values, those of a struct's field too: of each struct only this one was read."""
    values = batch.column(0)
    while pa.types.is_struct(values.type):
        values = pc.struct_field(values, [0])
    if not (pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)):
        raise FetchError("unsupported", f"column {column} holds {values.type}, not bytes")
    return values


def _has_column(table: pq.ParquetFile, column: str) -> bool:
    """Whether the file has that leaf, by its dotted path."""
    schema = table.metadata.schema
    return any(schema.column(i).path == column for i in range(len(schema)))


def _parsed(source: Any, metadata: Any = None) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source, metadata=metadata, buffer_size=READ_BYTES, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise FetchError("undecodable", f"not a Parquet file: {error}") from None


def _open(file: str, etag: str, deadline_s: float, settings: FetchSettings, storage: StorageSettings) -> Any:
    if not is_remote(file):
        source = open(file, "rb")  # noqa: SIM115, PTH123  # closed by the caller
        if etag not in (UNKNOWN_ETAG, file_etag(os.fstat(source.fileno()))):
            source.close()
            raise FetchError("changed", "the table is not the version that was indexed")
        return source
    location = parse_url(file)
    return ObjectFile(
        open_bucket(location, storage, Requests(settings.deadline_s)), location.key, etag, deadline_s
    )


class ObjectFile(io.RawIOBase):
    """A version of an object as a file to read: every range is asked for on condition that it is still that version."""

    def __init__(self, client: Any, key: str, etag: str, deadline_s: float) -> None:
        super().__init__()
        self._client, self._key, self._etag = client, key, etag
        self._end_s = time.monotonic() + deadline_s
        self._position = 0
        meta = client.head(key)
        check_version(meta["e_tag"], etag)
        self._size: int = meta["size"]

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position in the file."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new position."""
        self._position = (
            offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        )
        return self._position

    def readinto(self, buffer: Any) -> int:
        """So many bytes from the position on are in the buffer."""
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        if time.monotonic() > self._end_s:
            raise TimeoutError("the deadline of the table is over")
        options = {"range": (self._position, end), **version_option(self._etag)}
        data = memoryview(self._client.get(self._key, options=options).bytes())
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

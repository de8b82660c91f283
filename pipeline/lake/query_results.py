"""Results of queries as frames, as text, and as files that other programs read."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import IO, Literal

import polars as pl
import pyarrow.parquet as pq

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.schemes import normalise_url
from laketag.pipeline.store.streamed_write import replace_file

TextFormat = Literal["csv", "json", "ndjson"]
SUFFIXES = (".csv", ".json", ".ndjson", ".parquet")
ROWS_OF_A_BATCH = 65_536
"""Rows that are written at a time; in Parquet a row group."""
Errors = Callable[[], AbstractContextManager[None]]
Writer = Callable[[Iterable[pl.DataFrame], IO[bytes]], None]


def checked_output(url: str) -> str:
    """The URL, or an InputError if its suffix names no format that ``write_result`` writes."""
    if PurePosixPath(url).suffix.lower() not in SUFFIXES:
        raise InputError(f"--output {url}: cannot tell the format; end its name in {', '.join(SUFFIXES)}")
    return normalise_url(url)


def write_result(rows: pl.LazyFrame, url: str, storage: StorageSettings, errors: Errors) -> int:
    """The file at the URL holds all rows, in the format of its suffix; returns how many. Rows are streamed.

    After an error the file has its old content, or does not exist. ``errors`` makes a context that translates those of
    the query.
    """
    suffix = PurePosixPath(checked_output(url)).suffix.lower()
    count = 0

    def counted(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        nonlocal count
        for batch in batches:
            count += batch.height
            yield batch

    with replace_file(url, storage) as file:
        _WRITERS[suffix](counted(_batches(flatten(rows) if suffix == ".csv" else rows, errors)), file)
    return count


def as_text(rows: pl.DataFrame, text_format: TextFormat) -> str:
    """The rows as CSV (nested columns as JSON), a JSON array, or one JSON object per line."""
    if text_format == "csv":
        return flatten(rows.lazy()).collect().write_csv()
    if text_format == "ndjson":
        return rows.write_ndjson()
    return rows.write_json() + "\n"


def flatten(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with nested columns as JSON text, for formats without nesting; null stays null."""
    nested = [name for name, dtype in rows.collect_schema().items() if dtype.is_nested()]
    return rows.with_columns(_as_json(name) for name in nested)


def _as_json(column: str) -> pl.Expr:
    # only structs have an encoder, so the column is wrapped into one, and the text unwrapped
    text = pl.struct(pl.col(column).alias("v")).struct.json_encode()
    value = text.str.strip_prefix('{"v":').str.strip_suffix("}")
    return pl.when(pl.col(column).is_not_null()).then(value).alias(column)


def _batches(rows: pl.LazyFrame, errors: Errors) -> Iterator[pl.DataFrame]:
    """The rows in frames of limited size, the first of which is there even without rows, to have the columns."""
    with errors():
        yield pl.DataFrame(schema=rows.collect_schema())
        yield from rows.collect_batches(chunk_size=ROWS_OF_A_BATCH, engine="streaming")


def _write_csv(batches: Iterable[pl.DataFrame], file: IO[bytes]) -> None:
    for number, batch in enumerate(batches):
        batch.write_csv(file, include_header=number == 0)


def _write_ndjson(batches: Iterable[pl.DataFrame], file: IO[bytes]) -> None:
    for batch in batches:
        batch.write_ndjson(file)


def _write_json(batches: Iterable[pl.DataFrame], file: IO[bytes]) -> None:
    before = "["
    for batch in batches:
        if not batch.is_empty():
            file.write((before + batch.write_json()[1:-1]).encode())
            before = ","
    file.write(b"[]" if before == "[" else b"]")


def _write_parquet(batches: Iterable[pl.DataFrame], file: IO[bytes]) -> None:
    tables = (batch.to_arrow(compat_level=pl.CompatLevel.oldest()) for batch in batches)
    first = next(tables)
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


_WRITERS: dict[str, Writer] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".ndjson": _write_ndjson,
    ".parquet": _write_parquet,
}

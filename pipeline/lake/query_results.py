"""Results of queries as text, and as files that other programs read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import is_remote, normalise_url, open_filesystem, polars_options

TextFormat = Literal["csv", "json", "ndjson"]
SUFFIXES = (".csv", ".json", ".ndjson", ".parquet")


def checked_output(url: str) -> str:
    """The URL, or an InputError if its suffix names no format that ``write_result`` writes."""
    if PurePosixPath(url).suffix.lower() not in SUFFIXES:
        raise InputError(f"--output {url}: cannot tell the format; end its name in {', '.join(SUFFIXES)}")
    return normalise_url(url)


def write_result(rows: pl.LazyFrame, url: str, storage: StorageSettings) -> None:
    """The file at the URL holds all rows, in the format of its suffix; after an error there is no new file.

    CSV, NDJSON and Parquet are streamed; a JSON array is built in memory.
    """
    suffix = PurePosixPath(checked_output(url)).suffix.lower()
    with query_errors(url):
        if suffix == ".json":
            filesystem, path = open_filesystem(url, storage)
            filesystem.pipe_file(path, rows.collect(engine="streaming").write_json().encode())
        elif is_remote(url):  # an interrupted upload leaves no object
            _sink(rows, url, suffix, polars_options(url, storage))
        else:
            target = Path(normalise_url(url))
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.part")
            try:
                with partial.open(
                    "wb"
                ) as opened:  # given a path, polars may open it only after it has raised an error
                    _sink(rows, opened, suffix, None)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)


@contextmanager
def query_errors(url: str) -> Iterator[None]:
    """A query that fails on the rows raises an InputError; a store that fails raises a StorageError."""
    with store_errors(url):
        try:
            yield
        except pl.exceptions.ComputeError:  # polars raises it for errors of object stores, too
            raise
        except pl.exceptions.PolarsError as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"the query fails on the rows of {url}: {reason}; correct it") from None


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


def _sink(rows: pl.LazyFrame, target: str | IO[bytes], suffix: str, options: dict[str, str] | None) -> None:
    if suffix == ".csv":
        flatten(rows).sink_csv(target, storage_options=options)
    elif suffix == ".ndjson":
        rows.sink_ndjson(target, storage_options=options)
    else:
        rows.sink_parquet(target, compression="zstd", storage_options=options)

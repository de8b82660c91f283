"""Answers of queries as files that other programs read."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import is_remote, normalise_url, open_filesystem, polars_options

TextFormat = Literal["csv", "json", "ndjson"]
SUFFIXES = (".csv", ".json", ".ndjson", ".parquet")


def checked_output(url: str) -> str:
    """The URL, if its end names a format that ``write_result`` writes."""
    if PurePosixPath(url).suffix.lower() not in SUFFIXES:
        raise InputError(f"--output {url}: cannot tell the format; end its name in {', '.join(SUFFIXES)}")
    return normalise_url(url)


def write_result(frame: pl.LazyFrame, url: str, storage: StorageSettings) -> None:
    """The rows lie at the URL, all of them or none, in the format that its end names.

    CSV, NDJSON and Parquet are streamed; a JSON array is made in memory.
    """
    suffix = PurePosixPath(checked_output(url)).suffix.lower()
    with answer_errors(url):
        if suffix == ".json":
            filesystem, path = open_filesystem(url, storage)
            filesystem.pipe_file(path, frame.collect(engine="streaming").write_json().encode())
        elif is_remote(url):  # an upload that breaks off leaves nothing behind
            _sink(frame, url, suffix, polars_options(url, storage))
        else:
            target = Path(normalise_url(url))
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.part")
            try:
                _sink(frame, str(partial), suffix, None)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)


@contextmanager
def answer_errors(url: str) -> Iterator[None]:
    """What fails inside because the rows do not suit the query is an InputError; what the store refuses, a StorageError."""
    with store_errors(url):
        try:
            yield
        except pl.exceptions.ComputeError:  # also what object stores answer
            raise
        except pl.exceptions.PolarsError as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"the query fails on the rows of {url}: {reason}; correct it") from None


def as_text(frame: pl.DataFrame, text_format: TextFormat) -> str:
    """The rows as CSV (nested columns as JSON), a JSON array, or a JSON object a line."""
    if text_format == "csv":
        return flatten(frame.lazy()).collect().write_csv()
    if text_format == "ndjson":
        return frame.write_ndjson()
    return frame.write_json() + "\n"


def flatten(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame with its nested columns as JSON text, for formats without nesting."""
    nested = [name for name, dtype in frame.collect_schema().items() if dtype.is_nested()]
    return frame.with_columns(
        pl.struct(name).map_batches(_as_json, return_dtype=pl.String).alias(name) for name in nested
    )


def _as_json(rows: pl.Series) -> pl.Series:
    """One nested column, wrapped in a struct of its own, as the JSON of its values; null stays null."""
    lines = io.StringIO(rows.struct.rename_fields(["v"]).struct.unnest().write_ndjson())
    texts = [line.rstrip("\n").removeprefix('{"v":')[:-1] for line in lines]
    return pl.Series(rows.name, [None if text == "null" else text for text in texts], pl.String)


def _sink(frame: pl.LazyFrame, url: str, suffix: str, options: dict[str, str] | None) -> None:
    if suffix == ".csv":
        flatten(frame).sink_csv(url, storage_options=options)
    elif suffix == ".ndjson":
        frame.sink_ndjson(url, storage_options=options)
    else:
        frame.sink_parquet(url, compression="zstd", storage_options=options)

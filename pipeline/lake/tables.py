"""Reading and writing Parquet tables under their contracts (laketag.schemas)."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.outages import through_outages
from laketag.pipeline.store.schemes import polars_options
from laketag.pipeline.store.versioned_file import open_file

ROW_GROUP_ROWS = 65_536
FOOTER_PREFIX = "laketag."
"""Begins each of our keys in a Parquet footer."""


def write_table(
    rows: pl.DataFrame,
    url: str,
    schema: type[dy.Schema],
    storage: StorageSettings,
    footer: Mapping[str, str] | None = None,
) -> None:
    """The file at the URL holds the rows, which were checked against the contract, and these footer entries."""
    write_bytes(url, encode_table(_check(rows, schema), schema, footer), storage)


def create_table(
    rows: pl.DataFrame,
    url: str,
    schema: type[dy.Schema],
    storage: StorageSettings,
    footer: Mapping[str, str] | None = None,
) -> bool:
    """Like write_table, but a file that exists is left as it is; returns whether the file holds these rows."""
    return create_bytes(url, encode_table(_check(rows, schema), schema, footer), storage)


@cache
def _dtypes(schema: type[dy.Schema]) -> pl.Schema:
    """The contract's columns; they never change, and dataframely makes a frame to tell them."""
    return schema.create_empty().schema


def _check(rows: pl.DataFrame, schema: type[dy.Schema]) -> pl.DataFrame:
    """The rows, cast where their columns are not yet the contract's, and checked against it.

    To cast takes dataframely three times as long as to check, also where no dtype differs.
    """
    return schema.validate(rows, cast=rows.schema != _dtypes(schema))


def encode_table(
    checked_rows: pl.DataFrame, schema: type[dy.Schema], footer: Mapping[str, str] | None = None
) -> bytes:
    """The rows, which must keep the contract already, as a Parquet file (zstd) that explains each of its columns."""
    table = checked_rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = schema.columns()
    fields = [
        field.with_metadata({"description": columns[field.name].description or ""}) for field in table.schema
    ]
    entries = {"schema": schema.__name__, "description": (schema.__doc__ or "").splitlines()[0]}
    entries |= footer or {}
    table = table.cast(pa.schema(fields)).replace_schema_metadata(
        {f"{FOOTER_PREFIX}{key}": value for key, value in entries.items()}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    return sink.getvalue()


@dataclass(frozen=True)
class Footer:
    """What the footer of a file states: the number of its rows, and our entries."""

    rows: int
    entries: dict[str, str]


def read_whole_footer(url: str, storage: StorageSettings) -> Footer:
    """The file's footer."""

    def read() -> pq.FileMetaData:
        with open_file(url, storage) as file:
            return pq.read_metadata(file)

    metadata = through_outages(url, storage, read)
    return Footer(metadata.num_rows, _our_entries(metadata))


def read_footer(url: str, storage: StorageSettings) -> dict[str, str]:
    """Our entries in the file's footer."""
    return read_whole_footer(url, storage).entries


def decode_footer(content: bytes) -> dict[str, str]:
    """Our entries in the footer of the file with this content."""
    return _our_entries(pq.read_metadata(io.BytesIO(content)))


def _our_entries(metadata: pq.FileMetaData) -> dict[str, str]:
    entries = metadata.metadata or {}
    return {
        key.decode().removeprefix(FOOTER_PREFIX): value.decode()
        for key, value in entries.items()
        if key.startswith(FOOTER_PREFIX.encode())
    }


def read_table(urls: str | Sequence[str], schema: type[dy.Schema], storage: StorageSettings) -> pl.DataFrame:
    """All rows of the files; an InputError if they break the contract."""
    files = [urls] if isinstance(urls, str) else list(urls)
    rows = through_outages(files[0], storage, lambda: scan_table(files, schema, storage).collect())
    return _validated(rows, schema, files)


def decode_table(data: Sequence[bytes], schema: type[dy.Schema], urls: Sequence[str]) -> pl.DataFrame:
    """All rows of the files with these contents, which were read from these URLs; an InputError if they break the contract."""
    tables = []
    for content, url in zip(data, urls, strict=True):
        try:
            tables.append(_scan(content, url, schema, None).collect())
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"{url}: is no Parquet file of laketag ({' '.join(str(error).split())[:150]}); remove it or restore it"
            ) from error
    return _validated(pl.concat(tables), schema, urls)


def decode_columns(content: bytes, url: str, schema: type[dy.Schema], columns: Sequence[str]) -> pl.DataFrame:
    """These columns of a file that must have all columns of the contract."""
    try:
        return _scan(content, url, schema, None).select(columns).collect()
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{url}: is no Parquet file ({' '.join(str(error).split())[:150]})") from error


def _validated(rows: pl.DataFrame, schema: type[dy.Schema], files: Sequence[str]) -> pl.DataFrame:
    try:
        return _check(rows, schema)
    except dy.exc.ValidationError as error:
        names = files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "")
        raise InputError(
            f"{names}: breaks the contract of {schema.__name__}, {' '.join(str(error).split())}; "
            "write it again with this version of laketag"
        ) from None


def scan_table(urls: Sequence[str], schema: type[dy.Schema], storage: StorageSettings) -> pl.LazyFrame:
    """All rows of the files, lazily; an InputError if the first file lacks a column of the contract that is not nullable.

    Nullable columns that a file lacks, as those of earlier versions do, are null, and further columns are left out.
    Columns get the contract's dtypes, but values are not checked: each was checked when it was written. The files are
    listed one by one because polars fails on a folder that contains anything but Parquet.
    """
    return through_outages(
        urls[0], storage, lambda: _scan(list(urls), urls[0], schema, polars_options(urls[0], storage))
    )


def _scan(
    sources: list[str] | bytes, url: str, schema: type[dy.Schema], options: dict[str, str] | None
) -> pl.LazyFrame:
    """All rows of these files, or of the file with this content, as the contract has them; errors name the URL."""
    scan = partial(
        pl.scan_parquet,
        sources,
        storage_options=options,
        glob=False,
        hive_partitioning=False,
        credential_provider=None,
        missing_columns="insert",
        extra_columns="ignore",
    )
    found = scan().collect_schema()
    wanted = _dtypes(schema)
    columns = schema.columns()
    if missing := [name for name in wanted if name not in found and not columns[name].nullable]:
        raise InputError(
            f"{url}: is no table of {schema.__name__}, it lacks {', '.join(missing)}; "
            "write it with this version of laketag"
        )
    stored = {name: found[name] if name in found else _as_stored(dtype) for name, dtype in wanted.items()}
    # only what differs is cast (enums, lists of structs): a cast would keep filters from reaching the file
    casts = {name: dtype for name, dtype in wanted.items() if stored[name] != dtype}
    rows = scan(schema=stored)
    return rows.cast(casts) if casts else rows  # type: ignore[arg-type]  # polars asks for its own union of types


def _as_stored(dtype: pl.DataType) -> pl.DataType:
    """The dtype with which polars reads a column of this dtype from our files."""
    return pl.Categorical() if isinstance(dtype, pl.Enum) else dtype

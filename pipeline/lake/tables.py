"""Reading and writing tables under their contracts; one Parquet file is one atomic write."""

import io
from collections.abc import Mapping, Sequence

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import polars_options

ROW_GROUP_ROWS = 65_536


def write_table(
    frame: pl.DataFrame,
    url: str,
    schema: type[dy.Schema],
    storage: StorageSettings,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """The frame, which keeps the contract, lies at the URL as one Parquet file; returns its bytes."""
    data = encode_table(frame, schema, metadata)
    write_bytes(url, data, storage)
    return len(data)


def create_table(
    frame: pl.DataFrame,
    url: str,
    schema: type[dy.Schema],
    storage: StorageSettings,
    metadata: Mapping[str, str] | None = None,
) -> bool:
    """As write_table, but only where nothing lies yet; whether what lies there is ours."""
    return create_bytes(url, encode_table(frame, schema, metadata), storage)


def encode_table(
    frame: pl.DataFrame, schema: type[dy.Schema], metadata: Mapping[str, str] | None = None
) -> bytes:
    """A Parquet file (zstd) of a frame that keeps the contract; the columns' meanings are in its footer."""
    checked = schema.validate(frame, cast=True)
    table = checked.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = schema.columns()
    fields = [
        field.with_metadata({"description": columns[field.name].description or ""}) for field in table.schema
    ]
    footer = {
        "laketag.schema": schema.__name__,
        "laketag.description": (schema.__doc__ or "").splitlines()[0],
    }
    table = table.cast(pa.schema(fields)).replace_schema_metadata(footer | dict(metadata or {}))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    return sink.getvalue()


def read_table(urls: str | Sequence[str], schema: type[dy.Schema], storage: StorageSettings) -> pl.DataFrame:
    """All rows of the files; an InputError if they break the contract."""
    files = [urls] if isinstance(urls, str) else list(urls)
    with store_errors(files[0]):
        frame = scan_table(files, schema, storage).collect()
    try:
        return schema.validate(frame, cast=True)
    except dy.exc.ValidationError as error:
        names = files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "")
        raise InputError(
            f"{names}: breaks the contract of {schema.__name__}, {' '.join(str(error).split())}; "
            "write it again with this version of laketag"
        ) from None


def scan_table(urls: Sequence[str], schema: type[dy.Schema], storage: StorageSettings) -> pl.LazyFrame:
    """All rows of the files, lazily, with the contract's columns; an InputError if the first file has others.

    Always an explicit list of files: polars fails on a folder that holds anything but Parquet.
    """
    frame = pl.scan_parquet(
        list(urls),
        storage_options=polars_options(urls[0], storage),
        glob=False,
        hive_partitioning=False,
        credential_provider=None,
    )
    with store_errors(urls[0]):
        found = frame.collect_schema()
    wanted = schema.create_empty().schema
    if missing := [name for name in wanted if name not in found]:
        raise InputError(
            f"{urls[0]}: is no table of {schema.__name__}, it lacks {', '.join(missing)}; "
            "write it with this version of laketag"
        )
    # only what differs is cast (enums, lists of structs): a cast would keep filters from reaching the file
    casts = {name: dtype for name, dtype in wanted.items() if found[name] != dtype}
    frame = frame.select(list(wanted))
    return frame.cast(casts) if casts else frame  # type: ignore[arg-type]  # polars asks for its own union of types

"""Reading and writing tables under their contracts; one Parquet file is one atomic write."""

import errno
import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import StorageSettings
from pipeline.errors import InputError
from pipeline.storage.filesystems import is_remote, open_filesystem, storage_options, store_errors

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


def encode_table(frame: pl.DataFrame, schema: type[dy.Schema], metadata: Mapping[str, str] | None = None) -> bytes:
    """A Parquet file (zstd) of a frame that keeps the contract; the columns' meanings are in its footer."""
    checked = schema.validate(frame, cast=True)
    table = checked.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = schema.columns()
    fields = [
        field.with_metadata({"description": columns[field.name].description or ""}) for field in table.schema
    ]
    footer = {"laketag.schema": schema.__name__, "laketag.description": (schema.__doc__ or "").splitlines()[0]}
    table = table.cast(pa.schema(fields)).replace_schema_metadata(footer | dict(metadata or {}))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    return sink.getvalue()


def write_bytes(url: str, data: bytes, storage: StorageSettings) -> None:
    """The bytes lie at the URL, all of them or none: one PUT, or one rename."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url):
        if is_remote(url):
            filesystem.pipe_file(path, data, chunksize=len(data) + 1)
            return
        temporary = _write_temporary(path, data)
        Path(temporary).replace(path)


def create_bytes(url: str, data: bytes, storage: StorageSettings) -> bool:
    """The bytes lie at the URL, unless something else does; whether they are ours.

    A lost acknowledgement makes the client's retry meet our own write, so what lies there is compared.
    """
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url):
        if is_remote(url):
            try:
                filesystem.pipe_file(path, data, mode="create", chunksize=len(data) + 1)
            except FileExistsError:
                return bool(filesystem.cat_file(path) == data)
            except OSError as error:
                if not _is_precondition_failed(error):
                    raise
                return bool(filesystem.cat_file(path) == data)
            return True
        temporary = _write_temporary(path, data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return Path(path).read_bytes() == data
        finally:
            Path(temporary).unlink()
        return True


def read_table(urls: str | Sequence[str], schema: type[dy.Schema], storage: StorageSettings) -> pl.DataFrame:
    """All rows of the files, checked against the contract."""
    files = [urls] if isinstance(urls, str) else list(urls)
    return schema.validate(scan_table(files, schema, storage).collect(), cast=True)


def scan_table(urls: Sequence[str], schema: type[dy.Schema], storage: StorageSettings) -> pl.LazyFrame:
    """All rows of the files, lazily, with the contract's columns; an InputError if a file has others."""
    options = storage_options(storage) if any(map(is_remote, urls)) else None
    frame = pl.scan_parquet(list(urls), storage_options=options, glob=False, hive_partitioning=False, credential_provider=None)
    with store_errors(urls[0]):
        found = frame.collect_schema()
    missing = [name for name in schema.column_names() if name not in found]
    if missing:
        raise InputError(f"{urls[0]}: is no table of {schema.__name__}: it lacks {', '.join(missing)}; write it with this laketag")
    return frame.select(schema.column_names()).cast(dict(schema.create_empty().schema))  # type: ignore[arg-type]


def _write_temporary(path: str, data: bytes) -> str:
    """A complete file beside the path, named so that no reader takes it for a table."""
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).chmod(0o644)
    return temporary


def _is_precondition_failed(error: OSError) -> bool:
    """Whether a store that knows no FileExistsError (Ceph) says so: EINVAL because of a 412."""
    response = getattr(error.__cause__, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return error.errno == errno.EINVAL and status == 412

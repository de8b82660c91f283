"""Reading and writing tables under their contracts; one Parquet file is one atomic write."""

import io
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.store.filesystems import (
    is_remote,
    normalise_url,
    open_filesystem,
    storage_options,
    store_errors,
)
from laketag.pipeline.store.store_errors import answer

ROW_GROUP_ROWS = 65_536
CONFLICT_ATTEMPTS = 5


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


def write_bytes(url: str, data: bytes, storage: StorageSettings) -> None:
    """The bytes lie at the URL, all of them or none: one PUT, or one rename."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url):
        if is_remote(url):
            filesystem.pipe_file(path, data, chunksize=len(data) + 1)  # so large a chunk means one PUT
            return
        temporary = _write_temporary(path, data)
        try:
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise


def create_bytes(url: str, data: bytes, storage: StorageSettings) -> bool:
    """The bytes lie at the URL, unless something else does; whether they are ours.

    A lost acknowledgement makes the client's retry meet our own write, so what lies there is compared.
    """
    with store_errors(url):
        return (
            _create_object(url, data, storage) if is_remote(url) else _create_file(normalise_url(url), data)
        )


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
        storage_options=storage_options(storage, urls[0]),
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


def _create_object(url: str, data: bytes, storage: StorageSettings) -> bool:
    """Whether a ``PUT`` with ``If-None-Match: *`` stored the bytes, now or in a try whose answer was lost."""
    filesystem, path = open_filesystem(url, storage)
    for attempt in range(CONFLICT_ATTEMPTS):
        try:
            filesystem.pipe_file(path, data, mode="create", chunksize=len(data) + 1)
            return True
        except FileExistsError:
            pass
        except OSError as error:
            _, status = answer(error)  # Ceph's 412 arrives as EINVAL, not as FileExistsError
            if status == 501:
                raise StorageError(
                    f"{url}: the store cannot create an object only if it is absent (If-None-Match), "
                    "so runs could overwrite each other; keep the lake on one that can, as AWS S3 and Ceph"
                ) from error
            if status == 409 and attempt + 1 < CONFLICT_ATTEMPTS:  # another conditional write is under way
                time.sleep(0.1 * 2**attempt)
                continue
            if status != 412:
                raise
        try:
            return bool(filesystem.cat_file(path) == data)
        except FileNotFoundError:  # removed since
            return False
    raise AssertionError("unreachable: the last attempt returns or raises")


def _create_file(path: str, data: bytes) -> bool:
    """Whether a complete file was linked to the path, which only one of many can do."""
    temporary = _write_temporary(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        with suppress(FileNotFoundError):  # removed since
            return Path(path).read_bytes() == data
        return False
    finally:
        Path(temporary).unlink()
    return True


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

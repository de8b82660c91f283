"""Reading an existing Parquet index: tables that say where images are, or that hold the images' bytes themselves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.index_uris import absolute_uris, ask_versions, file_version, refuse_local
from laketag.pipeline.images.listing import image_id
from laketag.pipeline.images.locations import embedded_uri
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.folders import list_files
from laketag.pipeline.store.schemes import is_remote, normalise_url, open_filesystem
from laketag.schemas import ImageIndex

BATCH_ROWS = 50_000


@dataclass(frozen=True, kw_only=True)
class IndexColumns:
    """Which columns of the source mean what; None: looked for under the usual names, or not there."""

    uri: str | None = None
    id: str | None = None
    etag: str | None = None
    true_class: str | None = None
    image: str | None = None  # binary, or a struct with a field ``bytes``


def _is_text(kind: pa.DataType) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(values) or pa.types.is_large_string(values) or pa.types.is_string_view(values)
    )


def _is_scalar(kind: pa.DataType) -> bool:
    return _is_text(kind) or bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


PLAIN_COLUMNS = {
    "uri": ("--uri-column", "text", _is_text),
    "id": ("--id-column", "text or numbers", _is_scalar),
    "etag": ("--etag-column", "text", _is_text),
    "true_class": ("--class-column", "text or numbers", _is_scalar),
}
"""For each field of IndexColumns but the image: its option, what the column must hold, and whether a type is that."""

URI_NAMES = ("uri", "url", "path", "file_name", "filename")
IMAGE_NAMES = ("image", "bytes", "img")


def read_parquet_index(
    source: str, columns: IndexColumns, storage: StorageSettings
) -> Iterator[pl.DataFrame]:
    """The rows of schemas.ImageIndex for a Parquet file, or for all Parquet files of a folder, whatever it is called.

    A row with embedded bytes is named FILE.parquet#column=NAME&row=N, and has the version of its file; the bytes stay where
    they are. A relative URI counts from the folder that its file lies in.
    """
    source = normalise_url(source)
    files = [source] if _is_table_file(source, storage) else list_files(source, storage)
    if not files:
        raise InputError(f"{source} holds no .parquet file; name one, or a folder of them")
    for file in files:
        filesystem, path = open_filesystem(file, storage)
        with store_errors(file):
            version = file_version(filesystem.info(path), is_remote(file))
            with filesystem.open(path, "rb") as opened:
                yield from _read_file(file, opened, version, columns, storage)


def _is_table_file(source: str, storage: StorageSettings) -> bool:
    """Whether the source is one Parquet file by name, and no folder that is called like one (as Spark and Dask do)."""
    filesystem, path = open_filesystem(source, storage)
    with store_errors(source):
        return source.endswith(".parquet") and filesystem.info(path)["type"] != "directory"


def _read_file(
    file: str, opened: Any, version: str, columns: IndexColumns, storage: StorageSettings
) -> Iterator[pl.DataFrame]:
    try:
        parquet = pq.ParquetFile(opened)
    except pa.ArrowInvalid as error:
        raise InputError(f"{file} is no Parquet file ({error}); name a Parquet table") from None
    chosen = _choose_columns(file, parquet.schema_arrow, columns)
    read = [name for name in (chosen.uri, chosen.id, chosen.etag, chosen.true_class) if name]
    names = _class_names(parquet.schema_arrow, chosen.true_class)
    row = 0
    for batch in parquet.iter_batches(BATCH_ROWS, columns=read) if read else _empty_batches(parquet):
        frame = (
            pl.DataFrame(pa.Table.from_batches([batch]))
            if read
            else pl.DataFrame({"row": range(batch.num_rows)})
        )
        if chosen.image:
            numbers = range(row, row + frame.height)
            uris = pl.Series(
                [embedded_uri(file, chosen.image, number) for number in numbers], dtype=pl.String
            )
            etags = pl.Series([version] * frame.height, dtype=pl.String)
        else:
            assert chosen.uri is not None
            written = frame[chosen.uri].cast(pl.String)
            _refuse_nulls(written, f"{file}: the column of URIs", row)
            uris = absolute_uris(written, file)
            if chosen.etag:
                refuse_local(uris, f"{file}: --etag-column {chosen.etag}")
            etags = frame[chosen.etag].cast(pl.String) if chosen.etag else ask_versions(uris, storage)
        ids = (
            frame[chosen.id].cast(pl.String)
            if chosen.id
            else pl.Series([image_id(uri) for uri in uris], dtype=pl.String)
        )
        for what, series in (("id", ids), ("etag", etags)):
            _refuse_nulls(series, f"{file}: column {getattr(chosen, what)} ({what})", row)
        classes = (
            frame[chosen.true_class]
            if chosen.true_class
            else pl.Series([None] * frame.height, dtype=pl.String)
        )
        if names is not None:
            classes = classes.replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
        yield pl.DataFrame(
            {
                "image_id": ids,
                "uri": uris,
                "etag": etags.str.strip_chars('"'),
                "size_bytes": pl.Series([None] * frame.height, dtype=pl.Int64),
                "true_class": classes.cast(pl.String),
            }
        ).select(ImageIndex.column_names())
        row += frame.height


def _empty_batches(parquet: pq.ParquetFile) -> Iterator[Any]:
    """Batches that have rows and no columns, for tables from which only the bytes count."""
    remaining = parquet.metadata.num_rows
    while remaining:
        rows = min(remaining, BATCH_ROWS)
        yield pa.record_batch({"row": pa.nulls(rows)})
        remaining -= rows


def _choose_columns(file: str, schema: pa.Schema, columns: IndexColumns) -> IndexColumns:
    """The columns with their names found out; an InputError names what is missing and what there is."""
    there = f"its columns: {', '.join(schema.names)}"
    for what, (option, kind, is_kind) in PLAIN_COLUMNS.items():
        name = getattr(columns, what)
        if name is not None and name not in schema.names:
            raise InputError(f"{file} has no column {name!r} for {option}; {there}")
        if name is not None and not is_kind(schema.field(name).type):
            raise InputError(
                f"{file}: column {name!r} for {option} is {schema.field(name).type}, not {kind}; {there}"
            )
    image, uri = columns.image, columns.uri
    if image is not None and uri is not None:
        raise InputError(
            f"--uri-column {uri} and --image-column {image} both say where the images of {file} are; leave one out"
        )
    if image is not None and image.partition(".")[0] not in schema.names and image not in schema.names:
        raise InputError(f"{file} has no column {image!r} for --image-column; {there}")
    if image is None and uri is None:
        image = next(
            (name for name in IMAGE_NAMES if name in schema.names and _bytes_path(schema, name)), None
        )
        if image is None:
            uri = next(
                (name for name in URI_NAMES if name in schema.names and _is_text(schema.field(name).type)),
                None,
            )
    if image is not None:
        path = _bytes_path(schema, image)
        if path is None:
            found = schema.field(image if image in schema.names else image.partition(".")[0]).type
            raise InputError(
                f"{file}: column {image!r} is {found}, not bytes or a struct with a field 'bytes'; {there}"
            )
        if "&" in path or "#" in path:
            raise InputError(
                f"{file}: column {path!r} has '&' or '#' in its name, which would end it in the images' URIs; rename the column"
            )
        if columns.etag is not None:
            raise InputError(
                f"{file}: --etag-column {columns.etag} is for images in s3://, and those embedded in {path} have the version "
                "of their table; leave the option out"
            )
        image, uri = path, None
    elif uri is None:
        raise InputError(
            f"{file} has neither a column of URIs nor one of image bytes; name it with --uri-column or --image-column; {there}"
        )
    return IndexColumns(uri=uri, id=columns.id, etag=columns.etag, true_class=columns.true_class, image=image)


def _bytes_path(schema: pa.Schema, name: str) -> str | None:
    """Where the bytes are in the column: NAME, NAME.bytes, or nowhere."""
    top, _, below = (name, "", "") if name in schema.names else name.partition(".")
    kind = schema.field(top).type
    if pa.types.is_struct(kind):
        field = below or "bytes"
        index = kind.get_field_index(field)
        return f"{top}.{field}" if index >= 0 and _is_bytes(kind.field(index).type) else None
    return name if _is_bytes(kind) and not below else None


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _class_names(schema: pa.Schema, column: str | None) -> list[str] | None:
    """Names behind class numbers, where the table's footer has them as Hugging Face datasets write them."""
    if column is None or not pa.types.is_integer(schema.field(column).type):
        return None
    try:
        footer = json.loads((schema.metadata or {})[b"huggingface"])
        names = footer["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def _refuse_nulls(values: pl.Series, what: str, row: int) -> None:
    empty = (values.is_null() | (values.cast(pl.String) == "")).arg_true()
    if len(empty):
        raise InputError(
            f"{what} is empty in {len(empty)} row(s), first in row {row + empty[0]}; fill it or leave these rows out"
        )

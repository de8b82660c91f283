"""Reading an existing Parquet index: tables that name where images are, or that contain the images' bytes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.image_locations import embedded_uri
from laketag.pipeline.images.index_columns import IndexColumns, choose_columns
from laketag.pipeline.images.index_uris import absolute_uris, find_versions, refuse_local
from laketag.pipeline.images.listing import image_id
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.folders import list_files
from laketag.pipeline.store.locations import Location, parse_url
from laketag.pipeline.store.schemes import find_version, normalise_url, open_filesystem
from laketag.pipeline.store.versions import Version, version_of_etag
from laketag.schemas import ImageIndex

BATCH_ROWS = 50_000


def read_parquet_index(
    source: str, columns: IndexColumns, storage: StorageSettings
) -> Iterator[pl.DataFrame]:
    """The rows of schemas.ImageIndex for a Parquet file, or for all Parquet files of a folder, whatever its name.

    A row with embedded bytes gets the URI FILE.parquet#column=NAME&row=N and the version of its file; the bytes are not
    read. A relative URI is relative to the folder of its file.
    """
    source = normalise_url(source)
    files = [source] if _is_table_file(source, storage) else list_files(source, storage)
    if not files:
        raise InputError(f"{source} holds no .parquet file; name one, or a folder of them")
    for file in files:
        filesystem, path = open_filesystem(file, storage)
        with store_errors(file):
            version = find_version(parse_url(file), storage)
            with filesystem.open(path, "rb") as opened:
                yield from _read_table(parse_url(file), version, opened, columns, storage)


def _is_table_file(source: str, storage: StorageSettings) -> bool:
    """Whether the source is one Parquet file by its name, and not a folder of that name, as Spark and Dask write."""
    filesystem, path = open_filesystem(source, storage)
    with store_errors(source):
        return source.endswith(".parquet") and filesystem.info(path)["type"] != "directory"


def _read_table(
    file: Location, version: Version, opened: Any, columns: IndexColumns, storage: StorageSettings
) -> Iterator[pl.DataFrame]:
    try:
        parquet = pq.ParquetFile(opened)
    except pa.ArrowInvalid as error:
        raise InputError(f"{file.url} is no Parquet file ({error}); name a Parquet table") from None
    chosen = choose_columns(file.url, parquet.schema_arrow, columns)
    reader = _IndexReader(
        file,
        chosen,
        storage,
        version=version.etag,
        class_names=_find_class_names(parquet.schema_arrow, chosen.true_class),
    )
    read = [name for name in (chosen.uri, chosen.id, chosen.etag, chosen.true_class) if name]
    row = 0
    for batch in parquet.iter_batches(BATCH_ROWS, columns=read) if read else _empty_batches(parquet):
        yield reader.to_index_rows(pl.DataFrame(pa.Table.from_batches([batch])), row)
        row += batch.num_rows


@dataclass(frozen=True)
class _IndexReader:
    """Turns rows of one table into rows of schemas.ImageIndex."""

    file: Location
    columns: IndexColumns
    storage: StorageSettings
    version: str  # etag of the file, for embedded images
    class_names: list[str] | None

    def to_index_rows(self, frame: pl.DataFrame, first_row: int) -> pl.DataFrame:
        """The rows in the index's columns; an InputError names the first row that lacks a value."""
        uris, etags = self._images(frame, first_row)
        if self.columns.id:
            ids = frame[self.columns.id].cast(pl.String)
        else:
            ids = pl.Series([image_id(uri) for uri in uris], dtype=pl.String)
        for field, series in (("id", ids), ("etag", etags)):
            column = getattr(self.columns, field)
            _refuse_nulls(series, f"{self.file.url}: column {column} ({field})", first_row)
        return pl.DataFrame(
            {
                "image_id": ids,
                "uri": uris,
                "etag": pl.Series([version_of_etag(etag).etag for etag in etags], dtype=pl.String),
                "size_bytes": pl.Series([None] * frame.height, dtype=pl.Int64),
                "true_class": self._true_classes(frame),
            }
        ).select(ImageIndex.column_names())

    def _images(self, frame: pl.DataFrame, first_row: int) -> tuple[pl.Series, pl.Series]:
        """URIs and etags."""
        url, columns = self.file.url, self.columns
        if columns.image:
            rows = range(first_row, first_row + frame.height)
            uris = pl.Series([embedded_uri(url, columns.image, row) for row in rows], dtype=pl.String)
            return uris, pl.Series([self.version] * frame.height, dtype=pl.String)
        assert columns.uri is not None
        written = frame[columns.uri].cast(pl.String)
        _refuse_nulls(written, f"{url}: the column of URIs", first_row)
        uris = absolute_uris(written, self.file)
        if not columns.etag:
            return uris, find_versions(uris, self.storage)
        refuse_local(uris, f"{url}: --etag-column {columns.etag}")
        return uris, frame[columns.etag].cast(pl.String)

    def _true_classes(self, frame: pl.DataFrame) -> pl.Series:
        if not self.columns.true_class:
            return pl.Series([None] * frame.height, dtype=pl.String)
        classes = frame[self.columns.true_class]
        if self.class_names is not None:
            names = dict(enumerate(self.class_names))
            classes = classes.replace_strict(names, default=None, return_dtype=pl.String)
        return classes.cast(pl.String)


def _empty_batches(parquet: pq.ParquetFile) -> Iterator[Any]:
    """Batches with the table's rows and a column of nulls, where only the number of rows counts."""
    remaining = parquet.metadata.num_rows
    while remaining:
        rows = min(remaining, BATCH_ROWS)
        yield pa.record_batch({"row": pa.nulls(rows)})
        remaining -= rows


def _find_class_names(schema: pa.Schema, column: str | None) -> list[str] | None:
    """Names behind class numbers, if the table's footer has them as Hugging Face datasets write them."""
    if column is None or not pa.types.is_integer(schema.field(column).type):
        return None
    try:
        footer = json.loads((schema.metadata or {})[b"huggingface"])
        names = footer["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def _refuse_nulls(values: pl.Series, what: str, first_row: int) -> None:
    empty = (values.is_null() | (values.cast(pl.String) == "")).arg_true()
    if len(empty):
        raise InputError(
            f"{what} is empty in {len(empty)} row(s), first in row {first_row + empty[0]}; "
            "fill it or leave these rows out"
        )

"""Reading an existing index: tables that name where images are, or that contain the images' bytes."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.column_types import split_name
from laketag.pipeline.images.findings import Findings
from laketag.pipeline.images.hugging_face import find_class_names
from laketag.pipeline.images.image_locations import embedded_uri
from laketag.pipeline.images.index_columns import (
    ChosenColumns,
    IndexColumns,
    choose_columns,
)
from laketag.pipeline.images.index_uris import (
    ImageAccess,
    absolute_uri,
    count_unreadable,
    find_versions,
    refuse_local,
    why_unreadable,
)
from laketag.pipeline.images.listing import image_id
from laketag.pipeline.images.open_tables import OpenTable, ParquetTable, open_table, table_errors
from laketag.pipeline.images.rows_without_bytes import RowsWithoutBytes, find_rows_without_bytes
from laketag.pipeline.images.table_files import TableFile, find_table_files
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.versioned_file import open_file
from laketag.pipeline.store.versions import version_of_etag
from laketag.schemas import ImageIndex

NO_BYTES = "the row holds no bytes"


def read_table_index(
    source: str, columns: IndexColumns, access: ImageAccess, findings: Findings
) -> Iterator[pl.DataFrame]:
    """The rows of schemas.ImageIndex for a table: one file, or all Parquet files of a folder.

    A row with embedded bytes gets the URI FILE#column=NAME&row=N and the version of its file; the bytes are not read. A
    relative URI is relative to the folder of its file.
    """
    for file in find_table_files(source, access.storage, findings.left_out):
        url = file.location.url
        with store_errors(url), open_file(url, access.storage) as opened:
            yield from _read_table(file, open_table(url, opened), columns, access, findings)


def _read_table(
    file: TableFile, table: OpenTable, named: IndexColumns, access: ImageAccess, findings: Findings
) -> Iterator[pl.DataFrame]:
    schema = _with_partitions(table.schema, file)
    with table_errors(file.location.url):
        columns, no_bytes = _choose(file.location.url, schema, table, named)
    findings.add_columns(columns.why)
    class_names = find_class_names(schema, columns.true_class) if columns.true_class else None
    reader = _IndexReader(file, columns, access, findings, class_names)
    if no_bytes and not columns.image_path:
        reader.count_unreadable_bytes(no_bytes.rows, no_bytes.count)
    row = 0
    for batch in table.batches([name for name in columns.read if name not in file.partitions]):
        frame = pl.DataFrame(pa.Table.from_batches([batch]))
        values = {name: pl.lit(value, pl.String) for name, value in file.partitions.items()}
        yield reader.to_index_rows(
            frame.with_columns(**values), row, no_bytes and no_bytes.slice(row, frame.height)
        )
        row += batch.num_rows


def _choose(
    url: str, schema: pa.Schema, table: OpenTable, named: IndexColumns
) -> tuple[ChosenColumns, RowsWithoutBytes | None]:
    """The columns; a column of bytes that holds none at all gives way to another one, or to URIs."""
    columns = choose_columns(url, schema, named)
    if not columns.image or not isinstance(table, ParquetTable):  # no other table has columns of bytes
        return columns, None
    sources = (columns.image, *columns.image_also)
    no_bytes = find_rows_without_bytes(table.file, sources, where=columns.image_path is not None)
    if not no_bytes.count:
        return replace(columns, image_path=None), no_bytes
    if no_bytes.count == no_bytes.rows and not columns.image_path and not named.image:
        with suppress(InputError):
            empty, _ = split_name(schema, columns.image)
            others = pa.schema([field for field in schema if field.name != empty], schema.metadata)
            return _choose(url, others, table, named)
    return columns, no_bytes


@dataclass(frozen=True)
class _IndexReader:
    """Turns rows of one table into rows of schemas.ImageIndex."""

    file: TableFile
    columns: ChosenColumns
    access: ImageAccess
    findings: Findings
    class_names: list[str] | None

    def to_index_rows(
        self, frame: pl.DataFrame, first_row: int, no_bytes: RowsWithoutBytes | None
    ) -> pl.DataFrame:
        """The rows in the index's columns, without those that name no image; an InputError names the first one without an id."""
        rows = pl.int_range(first_row, first_row + frame.height, eager=True)
        if self.columns.image:
            uris, etags = self._embedded(frame, rows, no_bytes)
        else:
            written = self._written(frame)
            is_named = written.is_not_null() & (written != "")
            for row in rows.filter(~is_named):
                self.findings.left_out.add(f"{self.file.location.url} row {row}", "no URI")
            frame, rows = frame.filter(is_named), rows.filter(is_named)
            uris = [absolute_uri(uri, self.file.location) for uri in written.filter(is_named)]
            etags = self._etags(uris, frame, rows)
        return pl.DataFrame(
            {
                "image_id": self._ids(uris, frame, rows),
                "uri": pl.Series(uris, dtype=pl.String),
                "etag": pl.Series(etags, dtype=pl.String),
                "size_bytes": self._sizes(frame),
                "true_class": self._true_classes(frame),
                "carried": pl.Series([None] * len(uris), dtype=pl.Boolean),
            }
        ).select(ImageIndex.column_names())

    def _embedded(
        self, frame: pl.DataFrame, rows: pl.Series, no_bytes: RowsWithoutBytes | None
    ) -> tuple[list[str], list[str]]:
        """URIs and etags of rows with bytes, and of those that name a file instead."""
        url, columns = self.file.location.url, self.columns
        assert columns.image is not None
        paths = (columns.image, *columns.image_also)
        found = [0] * len(rows) if no_bytes is None or no_bytes.column is None else no_bytes.column
        uris = [embedded_uri(url, paths[number], row) for number, row in zip(found, rows, strict=True)]
        etags = [self.file.etag] * len(uris)
        if columns.image_path and no_bytes is not None and no_bytes.mask is not None:
            top, _, field = columns.image_path.rpartition(".")
            names = frame[top].struct.field(field).cast(pl.String)
            at = [row for row in no_bytes.mask.arg_true() if names[row]]
            self.count_unreadable_bytes(len(uris) - len(at), no_bytes.count - len(at))
            named = [absolute_uri(names[row], self.file.location) for row in at]
            for row, uri, etag in zip(
                at, named, find_versions(named, self.access, self.findings), strict=True
            ):
                uris[row], etags[row] = uri, etag
        return uris, etags

    def count_unreadable_bytes(self, rows: int, nulls: int) -> None:
        """All the rows are counted if their table may not be read, else those without bytes."""
        assert self.columns.image is not None
        uri = embedded_uri(self.file.location.url, self.columns.image, 0)
        if reason := why_unreadable(uri, self.access.allowed_roots, self.access.local_images):
            self.findings.add_unreadable(reason, rows, self.file.location.url)
        else:
            self.findings.add_unreadable(NO_BYTES, nulls, self.file.location.url)

    def _written(self, frame: pl.DataFrame) -> pl.Series:
        """The URIs as the table has them."""
        if self.columns.uri:
            return frame[self.columns.uri].cast(pl.String)
        assert self.columns.bucket is not None
        assert self.columns.key is not None
        parts = [pl.lit("s3://"), pl.col(self.columns.bucket), pl.lit("/"), pl.col(self.columns.key)]
        return frame.select(pl.concat_str([part.cast(pl.String) for part in parts])).to_series()

    def _etags(self, uris: list[str], frame: pl.DataFrame, rows: pl.Series) -> list[str]:
        column = self.columns.etag
        if not column:
            return find_versions(uris, self.access, self.findings)
        etags = frame[column].cast(pl.String)
        if self.columns.uri:
            refuse_local(uris, f"{self.file.location.url}: --etag-column {column}")
            _refuse_nulls(etags, f"{self.file.location.url}: column {column} (etag)", rows)
        count_unreadable(uris, self.access, self.findings)
        return [version_of_etag(etag).etag for etag in etags]

    def _ids(self, uris: list[str], frame: pl.DataFrame, rows: pl.Series) -> pl.Series:
        column = self.columns.id
        if not column:
            return pl.Series([image_id(uri) for uri in uris], dtype=pl.String)
        ids = frame[column].cast(pl.String)
        _refuse_nulls(ids, f"{self.file.location.url}: column {column} (id)", rows)
        return ids

    def _sizes(self, frame: pl.DataFrame) -> pl.Series:
        if not self.columns.size:
            return pl.Series([None] * frame.height, dtype=pl.Int64)
        sizes = frame[self.columns.size].cast(pl.Int64, strict=False)
        return sizes.set(sizes < 0, None)

    def _true_classes(self, frame: pl.DataFrame) -> pl.Series:
        if not self.columns.true_class:
            return pl.Series([None] * frame.height, dtype=pl.String)
        classes = frame[self.columns.true_class]
        if self.class_names is not None:
            names = dict(enumerate(self.class_names))
            classes = classes.replace_strict(names, default=None, return_dtype=pl.String)
        return classes.cast(pl.String)


def _with_partitions(schema: pa.Schema, file: TableFile) -> pa.Schema:
    """The schema with the columns of the file's folders, which replace columns of the same name, as in Spark."""
    fields = [field for field in schema if field.name not in file.partitions]
    return pa.schema([*fields, *((name, pa.string()) for name in file.partitions)], schema.metadata)


def _refuse_nulls(values: pl.Series, what: str, rows: pl.Series) -> None:
    empty = (values.is_null() | (values == "")).arg_true()
    if len(empty):
        raise InputError(
            f"{what} is empty in {len(empty)} row(s), first in row {rows[empty[0]]}; "
            "fill it or leave these rows out"
        )

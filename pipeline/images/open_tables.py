"""Tables of any format as their schema and batches of their rows: Parquet, and CSV as text."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from laketag.pipeline.errors import InputError

BATCH_ROWS = 50_000
BUFFER_BYTES = 4 * 2**20
"""Bytes of a Parquet column that are read at once; memory holds this and a page, however large the row group is."""
CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")


class ParquetTable:
    """A Parquet file that is open for reading."""

    def __init__(self, url: str, file: Any) -> None:
        """An InputError if the file is no Parquet file."""
        self._url = url
        with table_errors(url):
            try:
                self.file = pq.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)
            except pa.ArrowInvalid as error:
                raise InputError(f"{url} is no Parquet file ({error}); name a Parquet table") from None
            self.schema: pa.Schema = self.file.schema_arrow

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows with these columns; without any, only the number of rows counts."""
        if not columns:
            yield from _empty_batches(self.file.metadata.num_rows)
            return
        yield from _checked(self._url, self.file.iter_batches(BATCH_ROWS, columns=list(columns)))


MOST_HEADER_BYTES = 2**20
"""Read at once of the first line: gzip can pack a line of any length into a small file."""


class CsvTable:
    """A CSV or TSV file, also packed with gzip, whose values all count as text."""

    def __init__(self, url: str, file: Any, names: Sequence[str] | None = None) -> None:
        """The columns' names are in the first line unless they are given."""
        self._url = url
        self._lines = gzip.GzipFile(fileobj=file) if url.lower().endswith(".gz") else file
        self._delimiter = "\t" if url.lower().endswith((".tsv", ".tsv.gz")) else ","
        found = names if names is not None else self._read_names()
        self.schema = pa.schema([(name, pa.string()) for name in found])

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows with these columns."""
        numbers = [str(number) for number in range(len(self.schema))]  # unlike names, none of them twice
        chosen = [self.schema.names.index(name) for name in columns]
        for batch in _checked(self._url, self._read(numbers, [numbers[index] for index in chosen])):
            yield batch.rename_columns(list(columns)) if columns else batch

    def _read(self, names: list[str], chosen: list[str]) -> Iterator[pa.RecordBatch]:
        yield from pyarrow.csv.open_csv(
            self._lines,
            read_options=pyarrow.csv.ReadOptions(column_names=names),
            parse_options=pyarrow.csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=chosen or names[:1]
            ),
        )

    def _read_names(self) -> list[str]:
        try:
            lines = codecs.iterdecode(iter(lambda: self._lines.readline(MOST_HEADER_BYTES), b""), "utf-8-sig")
            names = next(csv.reader(lines, delimiter=self._delimiter), [])
        except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error, csv.Error) as error:
            raise InputError(f"{self._url} is no CSV file in UTF-8 ({error}); name a table") from None
        if not names:
            raise InputError(f"{self._url} is empty; its first line must hold the names of its columns")
        return names


OpenTable = ParquetTable | CsvTable


def open_table(url: str, file: Any) -> OpenTable:
    """The table in the open file, by the file's name; an InputError if it is none."""
    return CsvTable(url, file) if url.lower().endswith(CSV_SUFFIXES) else ParquetTable(url, file)


@contextmanager
def table_errors(url: str) -> Iterator[None]:
    """What pyarrow cannot read becomes an InputError about the table; errors of disks and stores pass unchanged."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and not is_damage(error):
            raise
        reason = str(error).partition("\n")[0]
        raise InputError(f"{url} cannot be read ({reason}); write the table again") from None


def _checked(url: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches; an InputError where the file cannot be read, or holds text that is not UTF-8."""
    with table_errors(url):
        for batch in batches:
            batch.validate(full=True)
            yield batch


def is_damage(error: OSError) -> bool:
    """Whether the file cannot be unpacked: such an error has no number, unlike those of disks and stores."""
    return type(error) in (OSError, gzip.BadGzipFile) and error.errno is None


def _empty_batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Batches with this number of rows in all, and a column of nulls."""
    while rows:
        height = min(rows, BATCH_ROWS)
        yield pa.record_batch({"row": pa.nulls(height)})
        rows -= height
